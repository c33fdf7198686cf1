/**
 * The failover test in short, behind haproxy: a front end, a worker and a nats-server are killed, and front ends are
 * replaced. `npm run failover` is the whole of it.
 */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { FAULTS } from './faults.js';
import { whyNoNetwork } from './hosts.js';
import { run } from './run.js';

const SHORT = ['front ends: rolling restart, new ones first', 'front end: SIGKILL', 'worker: SIGKILL', 'NATS: SIGKILL'];

const why =
  whyNoNetwork() ?? (spawnSync('haproxy', ['-v']).error === undefined ? undefined : 'haproxy is not installed');
if (why !== undefined) process.stderr.write(`NOT TESTED: failover, because ${why}\n`);

describe.runIf(why === undefined)('behind a load balancer', () => {
  it('no reader loses an event or gets one twice, whoever is killed', async () => {
    const faults = FAULTS.filter((fault) => SHORT.includes(fault.name));
    expect(faults).toHaveLength(SHORT.length);
    const said: string[] = [];
    const result = await run({
      balancer: 'haproxy',
      tasks: 4,
      readersPerTask: 5,
      everyMs: 100,
      faults,
      say: (text) => void said.push(text),
    });
    expect(said).toHaveLength(SHORT.length + 1);
    expect(result.windows.map(({ report: { lost, duplicates } }) => ({ lost, duplicates }))).toEqual(
      result.windows.map(() => ({ lost: 0, duplicates: 0 })),
    );
    expect(result.acknowledgedLost).toBe(0);
    expect(result.endings).toEqual({ cancelled: 20 });
    const [quiet, rolled, killed] = result.windows;
    expect(quiet?.report.reconnected).toBe(0);
    expect(killed?.report.reconnected).toBeGreaterThan(0);
    // Each stream moves once.
    expect(rolled?.report).toMatchObject({ reconnected: 20, reconnectsMax: 1 });
  }, 180_000);
});
