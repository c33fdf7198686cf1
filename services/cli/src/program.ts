/**
 * The grammar of the command line: commands, options, help. What a command does is handed in.
 *
 * Invariant: everything that reaches an action is parsed; a usage fault ends with exit code 2 before any action runs.
 */
import { Command, CommanderError, Option } from 'commander';
import { collectUrl, parseAfter, parsePort, parseProcessCount, PROCESSES_MAX } from './arguments.js';
import { DEFAULT_URL } from './config.js';
import { ExitCode } from './exit-codes.js';

export interface UpOptions {
  readonly port: number;
  readonly frontEnds: number;
  readonly workers: number;
  readonly data: string;
  readonly tools?: string;
  readonly json: boolean;
  readonly restart: boolean;
  readonly watch: boolean;
}

export interface ConnectOptions {
  /** Absent: from the environment, else the default. */
  readonly url?: readonly string[];
}

export interface CallOptions extends ConnectOptions {
  readonly input: string;
  readonly follow: boolean;
  readonly verbose: boolean;
}

export interface TailOptions extends ConnectOptions {
  readonly after?: number;
  readonly verbose: boolean;
  readonly cursorFile?: string;
  readonly transcript: boolean;
}

export interface AnswerOptions extends ConnectOptions {
  readonly key?: string;
  readonly json?: string;
  readonly decline: boolean;
  readonly cancel: boolean;
}

export interface SteerOptions extends ConnectOptions {
  readonly data?: string;
}

export interface ExportOptions extends ConnectOptions {
  readonly output?: string;
  readonly after?: number;
  readonly verbose: boolean;
}

export interface ImportOptions {
  readonly transcript: boolean;
  readonly json: boolean;
}

export interface VerifyOptions {
  readonly after?: number;
}

export interface Actions {
  up(options: UpOptions): Promise<ExitCode>;
  call(tool: string, options: CallOptions): Promise<ExitCode>;
  tail(taskId: string, options: TailOptions): Promise<ExitCode>;
  get(taskId: string, options: ConnectOptions): Promise<ExitCode>;
  cancel(taskId: string, options: ConnectOptions): Promise<ExitCode>;
  answer(taskId: string, options: AnswerOptions): Promise<ExitCode>;
  export(taskId: string, options: ExportOptions): Promise<ExitCode>;
  import(file: string, options: ImportOptions): Promise<ExitCode>;
  verify(file: string, options: VerifyOptions): Promise<ExitCode>;
  steer(taskId: string, message: string, options: SteerOptions): Promise<ExitCode>;
  pause(taskId: string, options: ConnectOptions): Promise<ExitCode>;
  resume(taskId: string, options: ConnectOptions): Promise<ExitCode>;
  delete(taskId: string, options: ConnectOptions): Promise<ExitCode>;
  tools(options: ConnectOptions): Promise<ExitCode>;
  doctor(options: { readonly port: number; readonly data: string }): Promise<ExitCode>;
}

export interface TextOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export const DEFAULT_PORT = 3000;
export const DEFAULT_NATS_PORT = 4222;
export const DEFAULT_DATA_DIR = '.taskstream';

const EXIT_CODES = `
Exit codes:
  0    done; a task that was waited for completed
  1    the task failed or its result is an error, or the command could not do its work
  2    the command line or its input is not valid
  3    the task was cancelled
  4    the server cannot be reached or refuses the connection
  5    verify: gap-free, but not the whole task
  130  interrupted; a task goes on without its reader`;

const VERIFY_EXIT_CODES = `
Exit codes:
  0    complete: gap-free from the first event to the one that ended the task
  1    events are missing, repeated, of another task, or not events
  2    the file cannot be read
  5    gap-free, but the beginning or the end of the task is not in it`;

/** Runs one command line (without the program's name) and gives its exit code. */
export async function runProgram(argv: readonly string[], actions: Actions, output: TextOutput): Promise<ExitCode> {
  let exitCode: ExitCode = ExitCode.ok;
  const run = async (action: Promise<ExitCode>): Promise<void> => {
    exitCode = await action;
  };
  const program = defineProgram(actions, run);
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: output.out, writeErr: output.err });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  }
  return exitCode;
}

function defineProgram(actions: Actions, run: (action: Promise<ExitCode>) => Promise<void>): Command {
  const program = new Command('taskstream')
    .description('Runs long tasks behind the Model Context Protocol and follows their events.')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(see --help)');

  const url = (): Option =>
    new Option(
      '--url <url>',
      `MCP endpoint; repeat it for more (default: TASKSTREAM_URL, else ${DEFAULT_URL})`,
    ).argParser(collectUrl);

  program
    .command('up')
    .description('start nats-server, front ends and workers on this machine')
    .option('--port <port>', 'port of the first front end, 0 for a free one', parsePort, DEFAULT_PORT)
    .option('--front-ends <n>', `number of front ends, up to ${PROCESSES_MAX}`, parseProcessCount, 1)
    .option('--workers <n>', `number of workers, up to ${PROCESSES_MAX}`, parseProcessCount, 1)
    .option('--data <dir>', 'directory for the data of nats-server', DEFAULT_DATA_DIR)
    .option('--tools <file>', 'module whose default export is an array of defineTool(…); absent: the example tools')
    .option('--watch', 'put new workers in place when a module in the folder of --tools changes', false)
    .option('--json', 'print one JSON line when all is ready, and no log but warnings', false)
    .option('--no-restart', 'leave processes that end unexpectedly as they are')
    .action((options: UpOptions) => run(actions.up(options)));

  program
    .command('call <tool>')
    .description('call a tool')
    .requiredOption('--input <json>', 'arguments as a JSON object, or @file')
    .option('--follow', 'follow the events of the task until it ends', false)
    .option('-v, --verbose', 'show reconnects, and on a terminal every event', false)
    .addOption(url())
    .action((tool: string, options: CallOptions) => run(actions.call(tool, options)));

  program
    .command('tail <taskId>')
    .description('follow the events of a task until it ends')
    .option('--after <seq>', 'leave out events up to this seq', parseAfter)
    .option('-v, --verbose', 'show reconnects, and on a terminal every event', false)
    .option('--cursor-file <file>', 'keep the position there, and go on from it')
    .addOption(
      new Option('--transcript', 'show messages, tool calls and artifacts as a tree at the end')
        .default(false)
        .conflicts(['after', 'cursorFile']),
    )
    .addOption(url())
    .action((taskId: string, options: TailOptions) => run(actions.tail(taskId, options)));

  program
    .command('get <taskId>')
    .description('show a task')
    .addOption(url())
    .action((taskId: string, options: ConnectOptions) => run(actions.get(taskId, options)));

  program
    .command('cancel <taskId>')
    .description('ask the server to cancel a task')
    .addOption(url())
    .action((taskId: string, options: ConnectOptions) => run(actions.cancel(taskId, options)));

  program
    .command('steer <taskId> <message>')
    .description('send a message to the tool that runs a task')
    .option('--data <json>', 'what comes along, as a JSON object, or @file')
    .addOption(url())
    .action((taskId: string, message: string, options: SteerOptions) => run(actions.steer(taskId, message, options)));

  program
    .command('pause <taskId>')
    .description('ask the tool that runs a task to wait where it can')
    .addOption(url())
    .action((taskId: string, options: ConnectOptions) => run(actions.pause(taskId, options)));

  program
    .command('resume <taskId>')
    .description('let a paused task go on')
    .addOption(url())
    .action((taskId: string, options: ConnectOptions) => run(actions.resume(taskId, options)));

  program
    .command('answer <taskId>')
    .description('answer what a task asks, here in the terminal or with --json')
    .option('--key <key>', 'only the question with this key')
    .addOption(
      new Option('--json <json>', 'the answer as a JSON object, or @file; nothing is asked').conflicts([
        'decline',
        'cancel',
      ]),
    )
    .addOption(new Option('--decline', 'refuse to answer').default(false).conflicts('cancel'))
    .option('--cancel', 'leave the question without a decision', false)
    .addOption(url())
    .action((taskId: string, options: AnswerOptions) => run(actions.answer(taskId, options)));

  program
    .command('export <taskId>')
    .description('write the events of a task, one a line as the log holds them, until it ends')
    .option('-o, --output <file>', 'write there; absent: standard output')
    .option('--after <seq>', 'leave out events up to this seq', parseAfter)
    .option('-v, --verbose', 'show reconnects', false)
    .addOption(url())
    .action((taskId: string, options: ExportOptions) => run(actions.export(taskId, options)));

  program
    .command('import <file>')
    .description('show exported events without a server; - reads standard input')
    .option('--transcript', 'show messages, tool calls and artifacts as a tree', false)
    .option('--json', 'print the transcript as JSON', false)
    .action((file: string, options: ImportOptions) => run(actions.import(file, options)));

  program
    .command('verify <file>')
    .description('check that exported events are gap-free; - reads standard input')
    .option('--after <seq>', 'the export continues after this seq', parseAfter)
    .addHelpText('after', VERIFY_EXIT_CODES)
    .action((file: string, options: VerifyOptions) => run(actions.verify(file, options)));

  program
    .command('delete <taskId>')
    .description('remove a task and its events from the server; one that runs is cancelled first')
    .addOption(url())
    .action((taskId: string, options: ConnectOptions) => run(actions.delete(taskId, options)));

  program
    .command('tools')
    .description('list the tools')
    .addOption(url())
    .action((options: ConnectOptions) => run(actions.tools(options)));

  program
    .command('doctor')
    .description('check what `up` needs, and say what to do')
    .option('--port <port>', 'port of the first front end', parsePort, DEFAULT_PORT)
    .option('--data <dir>', 'directory for the data of nats-server', DEFAULT_DATA_DIR)
    .action((options: { port: number; data: string }) => run(actions.doctor(options)));

  return program;
}
