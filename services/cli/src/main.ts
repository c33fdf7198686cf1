/**
 * The `taskstream` command: wires streams, signals and commands. Nothing else.
 */
import { once } from 'node:events';
import { isatty } from 'node:tty';
import { adviceFor, createTaskClient, isClientError } from '@taskstream/client';
import ora from 'ora';
import type { CommandContext } from './commands/context.js';
import { doctor } from './commands/doctor.js';
import { answer } from './commands/answer.js';
import { exportTask, importExport, verify } from './commands/exports.js';
import { pause, resume, steer } from './commands/steering.js';
import { call, cancel, deleteTask, get, tail, tools } from './commands/tasks.js';
import { up } from './commands/up.js';
import { readCliConfig } from './config.js';
import { exitCodeOf, isExpected } from './exit-codes.js';
import { jsonLineOutput } from './output/json-lines.js';
import type { TaskOutput, TextSink } from './output/task-output.js';
import { terminalOutput } from './output/terminal.js';
import { transcriptOutput } from './output/transcript-output.js';
import { runProgram } from './program.js';
import { linePrompt } from './questions/line-prompt.js';
import { watchSignals } from './signals.js';

/** A person waits for the answer: say soon that there is none. */
const REQUEST_ATTEMPTS_MAX = 3;

const { stdin, stdout, stderr } = process;
// The reader of our output may leave early, as `head` does.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const signals = watchSignals(process);
const config = readCliConfig();
const terminal = isatty(stdout.fd);
// A terminal that has no width makes the spinner clear infinitely many lines.
const animated = isatty(stderr.fd) && stderr.columns > 0;
const note = (text: string): void => void stderr.write(`${text}\n`);
const out = {
  write: async (text: string): Promise<void> => {
    if (!stdout.write(text)) await once(stdout, 'drain');
  },
};
const context: CommandContext = {
  config,
  out,
  note,
  terminal,
  signal: signals.first,
  input: stdin,
  prompt: () =>
    linePrompt({
      input: stdin,
      output: stderr,
      terminal: isatty(stdin.fd) && isatty(stderr.fd),
      signal: signals.first,
      onInterrupt: () => process.kill(process.pid, 'SIGINT'),
    }),
  taskOutput: ({ verbose, transcript }) => {
    const people = (result: TextSink): TaskOutput => {
      const spinner = ora({ discardStdin: false, isEnabled: animated });
      return terminalOutput({ out: result, note, verbose, spinner });
    };
    if (transcript) return transcriptOutput(people({ write: async () => undefined }), out);
    return terminal ? people(out) : jsonLineOutput({ out, note, verbose });
  },
  connect: (urls) =>
    createTaskClient({
      endpoints: urls ?? config.urls,
      // Tasks may ask: `answer` answers.
      capabilities: { elicitation: {} },
      clientInfo: { name: 'taskstream-cli', version: '0.1.0' },
      limits: { requestAttemptsMax: REQUEST_ATTEMPTS_MAX },
    }),
};
const local = { config, out, terminal, signal: signals.first, workingDirectory: process.cwd() };

try {
  process.exitCode = await runProgram(
    process.argv.slice(2),
    {
      up: (options) =>
        up(
          {
            ...local,
            log: (text) => void stderr.write(text),
            colorize: isatty(stderr.fd),
            onSecondSignal: signals.onSecond,
          },
          options,
        ),
      call: (tool, options) => call(context, tool, options),
      tail: (taskId, options) => tail(context, taskId, options),
      get: (taskId, options) => get(context, taskId, options),
      cancel: (taskId, options) => cancel(context, taskId, options),
      steer: (taskId, message, options) => steer(context, taskId, message, options),
      pause: (taskId, options) => pause(context, taskId, options),
      resume: (taskId, options) => resume(context, taskId, options),
      answer: (taskId, options) => answer(context, taskId, options),
      export: (taskId, options) => exportTask(context, taskId, options),
      import: (file, options) => importExport(context, file, options),
      verify: (file, options) => verify(context, file, options),
      delete: (taskId, options) => deleteTask(context, taskId, options),
      tools: (options) => tools(context, options),
      doctor: (options) => doctor({ ...local, nodeVersion: process.version }, options),
    },
    { out: (text) => void stdout.write(text), err: (text) => void stderr.write(text) },
  );
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  const message = isClientError(error) ? `${reason}; ${adviceFor(error)}` : reason;
  note(isExpected(error) ? `taskstream: ${message}` : `taskstream: unexpected error, please report it: ${message}`);
  process.exitCode = exitCodeOf(error);
}
