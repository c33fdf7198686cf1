/**
 * A program of the test itself on a host of the network, asked over IPC: one question after the other.
 *
 * Invariant: answers come in the order of the questions.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import * as z from 'zod';
import type { Host } from './hosts.js';

const TSX = import.meta.resolve('tsx');
const Answer = z.object({
  result: z.unknown().optional(),
  error: z.string().optional(),
  ready: z.boolean().optional(),
});

export class Helper {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting: Array<(message: unknown) => void> = [];
  readonly #ended: Promise<never>;
  /** Waited for from the start: it may come before it is asked for. */
  readonly #ready: Promise<unknown>;

  constructor(host: Host, file: string, nodeArgs: readonly string[] = []) {
    this.#name = basename(file);
    this.#child = host.spawn(process.execPath, [...nodeArgs, '--import', TSX, file], {
      env: {},
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message) => this.#waiting.shift()?.(message));
    this.#ended = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`${this.#name} ended with ${String(code)}`);
    });
    this.#ended.catch(() => undefined);
    this.#ready = this.#next();
    this.#ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async ready(): Promise<void> {
    await this.#ready;
  }

  async ask<T>(shape: z.ZodType<T>, message: Readonly<Record<string, unknown>>): Promise<T> {
    const next = this.#next();
    this.#child.send(message);
    return shape.parse(await next);
  }

  async #next(): Promise<unknown> {
    const message = new Promise<unknown>((resolve) => void this.#waiting.push(resolve));
    const answer = Answer.parse(await Promise.race([message, this.#ended]));
    if (answer.error !== undefined) throw new Error(`${this.#name} failed: ${answer.error}`);
    return answer.result;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended.catch(() => undefined);
  }
}

/** The other side: answers what it is asked, in order, and ends with its asker. */
export function serve(answer: (message: unknown) => Promise<unknown>): void {
  let last: Promise<unknown> = Promise.resolve();
  process.on('message', (message) => {
    last = last
      .then(() => answer(message))
      .then(
        (result) => process.send?.({ result }),
        (error: unknown) => process.send?.({ error: String(error) }),
      );
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.({ ready: true });
}
