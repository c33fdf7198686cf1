/**
 * Keeps one process running: starts it, starts it again after an unexpected end, stops it.
 *
 * Invariants: at most one process a unit; after `stop` nothing is started any more and nothing is left; a unit that
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
  let current: RunningProcess | undefined = await unit.launch(signal);

  const watch = async (first: RunningProcess): Promise<void> => {
    let running = first;
    for (;;) {
      const how = await running.ended;
      current = undefined;
      if (stopping.signal.aborted) return;
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

  return {
    name: unit.name,
    get pid() {
      return current?.pid;
    },
    kill: (sent) => current?.kill(sent),
    stop: async () => {
      stopping.abort();
      const running = current;
      running?.kill('SIGTERM');
      // A process that was halted by SIGSTOP does not see the SIGTERM.
      running?.kill('SIGCONT');
      const timer = setTimeout(() => {
        note('warn', `${unit.name} did not end within ${options.stopMsMax} ms and is killed`);
        running?.kill('SIGKILL');
      }, options.stopMsMax);
      await watching.finally(() => clearTimeout(timer));
    },
    destroy: () => {
      stopping.abort();
      current?.kill('SIGKILL');
    },
  };
}
