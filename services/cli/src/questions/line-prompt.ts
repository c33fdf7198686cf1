/**
 * A conversation over standard input: a terminal with line editing, or lines that are piped in.
 *
 * Invariant: a line that was typed ahead is kept; Ctrl-C and the abort signal end the wait, Ctrl-D ends the input.
 */
import { createInterface } from 'node:readline';
import type { Prompt } from './ask.js';

export interface LinePrompt extends Prompt {
  readonly close: () => void;
}

export function linePrompt(parts: {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly terminal: boolean;
  readonly signal: AbortSignal;
  /** Told of Ctrl-C, which a terminal with line editing does not turn into a signal. */
  readonly onInterrupt: () => void;
}): LinePrompt {
  const { output, signal } = parts;
  const lines = createInterface({ input: parts.input, output, terminal: parts.terminal });
  lines.on('SIGINT', parts.onInterrupt);
  const typed = lines[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  aborted.catch(() => undefined);
  return {
    say: (text) => void output.write(`${text}\n`),
    line: async (prompt) => {
      lines.setPrompt(prompt);
      lines.prompt();
      const next = await Promise.race([typed.next(), aborted]);
      return next.done === true ? undefined : next.value;
    },
    close: () => lines.close(),
  };
}
