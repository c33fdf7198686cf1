/**
 * Runs a service from its start to its exit code.
 *
 * Invariants: start and drain are bounded; `stop` runs at most once, also after a failed start; the first SIGTERM,
 * SIGINT or loss of the parent drains, the second signal exits at once; nothing that was thrown is swallowed.
 *
 * Exit codes: 0 drained; 1 failed to start, drain took too long or failed, or an unexpected error; 128 + n for a
 * second signal n.
 */
import type { Logger } from 'pino';
import { ServiceError } from './errors.js';

/** What a service tells a parent that started it with an IPC channel; `type: 'ready'` is added. */
export type ReadyInfo = Readonly<Record<string, unknown>>;

export interface ServiceOptions {
  readonly name: string;
  readonly logger: Logger;
  readonly startMsMax: number;
  readonly shutdownMsMax: number;
  /** Resolves when the service is ready. `signal` aborts when a shutdown arrives first. */
  readonly start: (signal: AbortSignal) => Promise<ReadyInfo | undefined>;
  /** Drains and closes whatever `start` has opened so far, in the reverse order. */
  readonly stop: (reason: StopReason) => Promise<void>;
  /** The process that is governed; a fake one in tests. */
  readonly host?: ServiceProcess | undefined;
}

export type StopReason = 'SIGTERM' | 'SIGINT' | 'parent gone' | 'failed start';

/** The part of `process` that a service needs. */
export interface ServiceProcess {
  on(event: string, listener: (...args: never[]) => void): unknown;
  send?: ((message: Readonly<Record<string, unknown>>) => unknown) | undefined;
  exit(code: number): void;
}

/** A terminal signals the whole group, and npm passes the same signal on: both are one wish. */
const SAME_SIGNAL_MS = 500;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Runs the service; resolves with the exit code after handing it to the process. */
export function runService(options: ServiceOptions): Promise<number> {
  const { name, logger, start, stop, startMsMax, shutdownMsMax } = options;
  const host: ServiceProcess = options.host ?? process;
  const aborted = new AbortController();

  return new Promise((resolve) => {
    let stopping = false;
    let ended = false;
    let latest: { readonly signal: string; readonly atMs: number } | undefined;

    const end = (code: number): void => {
      if (ended) return;
      ended = true;
      host.exit(code);
      resolve(code);
    };

    const shutdown = async (reason: StopReason, code: number): Promise<void> => {
      if (stopping) return;
      stopping = true;
      aborted.abort(new Error(`${name} is stopping: ${reason}`));
      logger.info({ reason, shutdownMsMax }, 'stopping');
      try {
        await within(
          stop(reason),
          shutdownMsMax,
          `the drain took longer than ${shutdownMsMax} ms; raise shutdownMsMax`,
        );
        logger.info('stopped');
        end(code);
      } catch (error) {
        logger.error({ err: error }, 'the drain did not end well; what was unfinished is taken over by other nodes');
        end(1);
      }
    };

    const onSignal = (signal: 'SIGTERM' | 'SIGINT'): void => {
      const atMs = performance.now();
      if (latest?.signal === signal && atMs - latest.atMs < SAME_SIGNAL_MS) return;
      latest = { signal, atMs };
      if (!stopping) {
        void shutdown(signal, 0);
        return;
      }
      logger.warn({ signal }, 'second signal: leaving at once');
      end(128 + SIGNAL_NUMBERS[signal]);
    };
    host.on('SIGTERM', () => onSignal('SIGTERM'));
    host.on('SIGINT', () => onSignal('SIGINT'));
    if (host.send !== undefined) host.on('disconnect', () => void shutdown('parent gone', 0));

    const onUnexpected = (error: unknown, what: string): void => {
      logger.fatal(
        { err: error },
        `${what}: a defect in ${name} or in a tool that it runs; please report it with this line. Leaving with code 1.`,
      );
      end(1);
    };
    host.on('uncaughtException', (error: unknown) => onUnexpected(error, 'uncaught exception'));
    host.on('unhandledRejection', (error: unknown) => onUnexpected(error, 'unhandled rejection'));

    const begin = async (): Promise<void> => {
      try {
        const what = `the start took longer than ${startMsMax} ms; look for what it waits for above, or raise startMsMax`;
        const info = await within(start(aborted.signal), startMsMax, what);
        if (stopping) return;
        logger.info({ ...info }, 'ready');
        host.send?.({ ...info, type: 'ready' });
      } catch (error) {
        if (stopping) return;
        if (error instanceof ServiceError) logger.fatal(`cannot start: ${error.message}`);
        else logger.fatal({ err: error }, 'cannot start');
        await shutdown('failed start', 1);
      }
    };
    void begin();
  });
}

async function within<Value>(work: Promise<Value>, msMax: number, message: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ServiceError(message)), msMax);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
