/**
 * What every command is given: configuration, streams, and a signal for Ctrl-C.
 */
import type { TaskClient } from '@taskstream/client';
import type { CliConfig } from '../config.js';
import type { TaskOutput, TextSink } from '../output/task-output.js';
import type { LinePrompt } from '../questions/line-prompt.js';

export interface CommandContext {
  readonly config: CliConfig;
  readonly out: TextSink;
  /** A line on standard error. */
  readonly note: (text: string) => void;
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly taskOutput: (options: { readonly verbose: boolean; readonly transcript: boolean }) => TaskOutput;
  /** Standard input, as bytes. */
  readonly input: AsyncIterable<Uint8Array>;
  /** A conversation over standard input and standard error. Close it, or the process stays. */
  readonly prompt: () => LinePrompt;
  readonly connect: (urls: readonly string[] | undefined) => TaskClient;
}
