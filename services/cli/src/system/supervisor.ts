/**
 * Keeps one process running: starts it, starts it again after an unexpected end, puts a new one in its place, stops it.
 *
 * Invariants: at most one process a unit, and the one that leaves while it is replaced; after `stop` nothing is started any more and nothing is left; a unit that
 * keeps ending is given up loudly, once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../exit-codes.js';
import { decideRestart, type RestartLimits } from './restart-policy.js';

export interface RunningProcess {
  readonly pid: number;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

export interface Unit {
  readonly name: string;
  /** Resolves when the process is ready. Throws when it cannot be; leaves no process then. Ends early on `signal`. */
  readonly launch: (signal: AbortSignal) => Promise<RunningProcess>;
}

export type Note = (level: 'info' | 'warn' | 'error', message: string) => void;

export interface SupervisorOptions {
  readonly restart: boolean;
  readonly limits: RestartLimits;
  readonly stopMsMax: number;
  readonly note: Note;
  /** The unit keeps ending, and will not be started again. */
  readonly onGivenUp: (error: SystemError) => void;
}

export interface Supervised {
  readonly name: string;
  /** Pid of the process that runs now. */
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  /**
   * Starts another process, and ends this one once that is ready. Throws what the launch throws; then this one stays.
   */
  replace(): Promise<void>;
  /** SIGTERM, after `stopMsMax` SIGKILL; waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL at once. */
  destroy(): void;
}

/** Starts the unit and watches over it from then on. Throws what the first launch throws; `signal` ends that one. */
export async function supervise(unit: Unit, options: SupervisorOptions, signal: AbortSignal): Promise<Supervised> {
  const { note } = options;
  const stopping = new AbortController();
  const endedAtMs: number[] = [];
  /** Replaced, and not yet gone. */
  const leaving = new Set<RunningProcess>();
  let current: RunningProcess | undefined = await unit.launch(signal);

  const watch = async (first: RunningProcess): Promise<void> => {
    let running = first;
    for (;;) {
      const how = await running.ended;
      if (stopping.signal.aborted) return;
      if (leaving.delete(running) && current !== undefined) {
        running = current;
        continue;
      }
      current = undefined;
      note('warn', `${unit.name} (pid ${running.pid}) ended unexpectedly: ${how}`);
      if (!options.restart) return;
      const next = await relaunch();
      if (next === undefined) return;
      running = next;
      current = running;
      note('info', `${unit.name} runs again with pid ${running.pid}`);
    }
  };

  const relaunch = async (): Promise<RunningProcess | undefined> => {
    for (;;) {
      endedAtMs.push(performance.now());
      const decision = decideRestart(endedAtMs, performance.now(), options.limits);
      if (decision.type === 'give-up') {
        const minutes = options.limits.windowMs / 60_000;
        options.onGivenUp(
          new SystemError(
            `${unit.name} ended ${decision.endings} times within ${minutes} min and is not started again; ` +
              'its last log lines say why',
          ),
        );
        return undefined;
      }
      try {
        await sleep(decision.delayMs, undefined, { signal: stopping.signal });
        const launched = await unit.launch(stopping.signal);
        if (!stopping.signal.aborted) return launched;
        launched.kill('SIGKILL');
        await launched.ended;
        return undefined;
      } catch (error) {
        if (stopping.signal.aborted) return undefined;
        note(
          'error',
          `${unit.name} could not be started again: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  };

  const watching = watch(current);

  /** SIGTERM, after `stopMsMax` SIGKILL. */
  const end = async (running: RunningProcess, gone: Promise<unknown>): Promise<void> => {
    running.kill('SIGTERM');
    // A process that was halted by SIGSTOP does not see the SIGTERM.
    running.kill('SIGCONT');
    const timer = setTimeout(() => {
      note('warn', `${unit.name} did not end within ${options.stopMsMax} ms and is killed`);
      running.kill('SIGKILL');
    }, options.stopMsMax);
    await gone.finally(() => clearTimeout(timer));
  };

  return {
    name: unit.name,
    get pid() {
      return current?.pid;
    },
    kill: (sent) => current?.kill(sent),
    replace: async () => {
      const launched = await unit.launch(stopping.signal);
      const old = current;
      if (old === undefined || stopping.signal.aborted) {
        // It has ended by itself, and is being started again as the new one.
        launched.kill('SIGKILL');
        await launched.ended;
        return;
      }
      leaving.add(old);
      current = launched;
      await end(old, old.ended);
    },
    stop: async () => {
      stopping.abort();
      const running = current;
      const left = [...leaving].map((old) => end(old, old.ended));
      await (running === undefined ? watching : end(running, running.ended));
      await Promise.all([watching, ...left]);
    },
    destroy: () => {
      stopping.abort();
      current?.kill('SIGKILL');
      for (const old of leaving) old.kill('SIGKILL');
    },
  };
}
