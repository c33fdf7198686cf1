/**
 * As many processes as it is told, whatever becomes of them.
 *
 * Invariant: a process that was killed is not counted as live from the moment of its signal on, and its successor is
 * on its way.
 */
import { stopAll, type TestProcess } from '../../support/system.js';

const AGAIN_MS = 200;

export class ProcessPool<P extends TestProcess> {
  readonly #launch: () => Promise<P>;
  #wanted: number;
  #live: P[] = [];
  readonly #starting = new Set<Promise<void>>();
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(wanted: number, launch: () => Promise<P>) {
    this.#wanted = wanted;
    this.#launch = launch;
  }

  /** Those that are ready and run. */
  get live(): ReadonlyArray<P> {
    return this.#live.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  }

  /** Starts what is missing; resolves when it runs. */
  async fill(): Promise<void> {
    while (!this.#closed && this.#live.length + this.#starting.size < this.#wanted) {
      const starting = this.#start().finally(() => this.#starting.delete(starting));
      this.#starting.add(starting);
    }
    await Promise.all(this.#starting);
  }

  async #start(): Promise<void> {
    let started: P;
    try {
      started = await this.#launch();
    } catch {
      // A start may fall into an outage of NATS; a supervisor would try again, too.
      if (!this.#closed) this.#again ??= setTimeout(() => ((this.#again = undefined), void this.fill()), AGAIN_MS);
      return;
    }
    this.#live.push(started);
    void started.exited.then(() => this.#lose(started));
  }

  #lose(process: P): void {
    this.#live = this.#live.filter((other) => other !== process);
    void this.fill();
  }

  /** SIGKILL; waits for nothing. */
  kill(victim: P): void {
    victim.kill('SIGKILL');
    this.#lose(victim);
  }

  /** Drains what is too much; resolves when it is gone. */
  async scale(wanted: number): Promise<void> {
    this.#wanted = wanted;
    const leaving = this.#live.slice(wanted);
    for (const process of leaving) process.kill('SIGTERM');
    await Promise.all(leaving.map((process) => process.exited));
    await this.fill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wanted = 0;
    clearTimeout(this.#again);
    await Promise.all(this.#starting);
    await stopAll(this.#live, 'SIGKILL');
  }
}
