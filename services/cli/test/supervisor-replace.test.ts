/** Putting another process in place of a running one: at most one is meant to stay, and none is left behind. */
import { expect, it } from 'vitest';
import { supervise, type RunningProcess, type Unit } from '../src/system/supervisor.js';

class Processes implements Unit {
  readonly name = 'fake';
  readonly alive = new Map<number, (how: string) => void>();
  readonly notes: string[] = [];
  fault: Error | undefined;
  /** Processes that do not end on SIGTERM. */
  deaf = false;
  #pids = 0;

  readonly launch = async (): Promise<RunningProcess> => {
    if (this.fault !== undefined) throw this.fault;
    const pid = ++this.#pids;
    let end: (how: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => (end = resolve));
    this.alive.set(pid, (how) => {
      this.alive.delete(pid);
      end(how);
    });
    return {
      pid,
      ended,
      kill: (signal) => {
        if (signal === 'SIGKILL' || (signal === 'SIGTERM' && !this.deaf)) this.alive.get(pid)?.(signal);
      },
    };
  };
}

async function running() {
  const unit = new Processes();
  const supervised = await supervise(
    unit,
    {
      restart: true,
      limits: { windowMs: 60_000, restartsMax: 3, backoffBaseMs: 1, backoffMsMax: 1 },
      stopMsMax: 20,
      note: (_level, message) => void unit.notes.push(message),
      onGivenUp: (error) => {
        throw error;
      },
    },
    new AbortController().signal,
  );
  return { unit, supervised };
}

it('ends the old one when the new one is ready, and does not take that for a crash', async () => {
  const { unit, supervised } = await running();
  await supervised.replace();
  expect([supervised.pid, ...unit.alive.keys()]).toEqual([2, 2]);
  expect(unit.notes).toEqual([]);
  unit.alive.get(2)?.('exit code 1');
  await expect.poll(() => supervised.pid).toBe(3);
  await supervised.stop();
  expect(unit.alive.size).toBe(0);
});

it('keeps the old one when the new one does not start', async () => {
  const { unit, supervised } = await running();
  unit.fault = new Error('no luck');
  await expect(supervised.replace()).rejects.toThrow('no luck');
  expect([supervised.pid, ...unit.alive.keys()]).toEqual([1, 1]);
  await supervised.stop();
});

it('kills an old one that does not go, and a stop leaves neither', async () => {
  const { unit, supervised } = await running();
  unit.deaf = true;
  const replaced = supervised.replace();
  await expect.poll(() => supervised.pid).toBe(2);
  expect([...unit.alive.keys()]).toEqual([1, 2]);
  await supervised.stop();
  await replaced;
  expect(unit.alive.size).toBe(0);
});
