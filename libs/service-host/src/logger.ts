/**
 * Logging with pino: JSON lines, or text for people on a terminal.
 *
 * Invariants: credentials are masked wherever pino is handed a request or headers; lines are written synchronously,
 * so that the last one before an exit is not lost.
 */
import { isatty } from 'node:tty';
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** Appears in every line. */
  readonly name: string;
  readonly level: LogLevel;
  /** Absent: only when standard output is a terminal. */
  readonly pretty?: boolean | undefined;
  /** Absent: standard output. */
  readonly destination?: DestinationStream | undefined;
}

const STDOUT = 1;
const CREDENTIAL_HEADERS = ['authorization', 'Authorization', 'cookie', 'Cookie', '["proxy-authorization"]'];
const REDACTED = ['', 'headers', 'req.headers', 'request.headers', 'res.headers', '*.headers'].flatMap((prefix) =>
  CREDENTIAL_HEADERS.map((header) =>
    header.startsWith('[') ? `${prefix}${header}` : prefix === '' ? header : `${prefix}.${header}`,
  ),
);

export function createLogger(options: LoggerOptions): Logger {
  const plain = options.destination ?? destination({ dest: STDOUT, sync: true });
  const pretty = options.pretty ?? (options.destination === undefined && isatty(STDOUT));
  const format = pretty ? createLogFormatter({ colorize: isatty(STDOUT) }) : undefined;
  const stream = format === undefined ? plain : { write: (line: string) => plain.write(format(line)) };
  return pino(
    {
      name: options.name,
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: REDACTED, censor: '***' },
    },
    stream,
  );
}

/** Turns one JSON log line into text for people; a line that is no JSON stays as it is. */
export function createLogFormatter(options: { readonly colorize: boolean }): (line: string) => string {
  return prettyFactory({
    colorize: options.colorize,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
}

export interface TaskContext {
  readonly taskId: string;
  readonly attempt?: number | undefined;
  /** W3C trace context. */
  readonly traceparent?: string | undefined;
}

/** A logger whose lines name the task, and the attempt and trace where they are known. */
export function taskLogger(logger: Logger, context: TaskContext): Logger {
  return logger.child({
    taskId: context.taskId,
    ...(context.attempt !== undefined && { attempt: context.attempt }),
    ...(context.traceparent !== undefined && { traceparent: context.traceparent }),
  });
}
