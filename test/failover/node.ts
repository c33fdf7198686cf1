/**
 * One process on a host of the test network: started, signalled, started again, waited for.
 *
 * Invariants: only processes that were started here are signalled; everything is ended at the end, the stopped too.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './hosts.js';

/** Longer than a nats-server in lame duck mode takes. */
const END_MS_MAX = 60_000;

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A service says over IPC that it is ready; others are asked. */
  readonly ready: 'message' | ((host: Host) => Promise<boolean>);
  /** What asks it to end; SIGTERM unless told. */
  readonly endSignal?: NodeJS.Signals;
}

export class Node {
  readonly host: Host;
  readonly #program: Program;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;

  constructor(host: Host, program: Program, logDir: string) {
    this.host = host;
    this.#program = program;
    mkdirSync(logDir, { recursive: true });
    this.#log = createWriteStream(join(logDir, `${host.name}.log`), { flags: 'a' });
  }

  get name(): string {
    return this.host.name;
  }

  /** Of the program that runs there now. */
  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the program is ready. @throws Error when it ends before */
  async start(): Promise<void> {
    const { command, args, env, ready } = this.#program;
    const child = this.host.spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#child = child;
    child.stdout?.pipe(this.#log, { end: false });
    child.stderr?.pipe(this.#log, { end: false });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${this.name} ended before it was ready; its log tells why`);
    });
    await Promise.race([ready === 'message' ? once(child, 'message') : this.#untilTrue(ready), ended]);
    ended.catch(() => undefined);
  }

  async #untilTrue(ask: (host: Host) => Promise<boolean>): Promise<void> {
    while (!(await ask(this.host))) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Asks it to end, and waits; by force when it takes too long. */
  async end(signal: NodeJS.Signals = this.#program.endSignal ?? 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    await exited;
    clearTimeout(timer);
  }
}
