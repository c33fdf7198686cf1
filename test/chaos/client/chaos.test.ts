/** Short versions of `npm run chaos:client`. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { FAULTS, startSmallServer } from '../../conformance/streams/wrong-servers.js';
import { startClient } from './clients.js';
import { quantile } from './report.js';
import { runSimulation } from './simulation.js';
import { isClean, runThroughProxy } from './through-proxy.js';
import { tryWrongServers, VERDICTS } from './wrong-servers.js';

const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).status === 0;
const clients = [
  ['typescript', '2026-07-28'],
  ['typescript', '2025-11-25'],
  ...(hasPython
    ? ([
        ['python', '2026-07-28'],
        ['python-asyncio', '2025-11-25'],
      ] as const)
    : []),
] as const;

describe('chaos', () => {
  it('leaves the state machine right and repeatable, over other seeds than its own test', () => {
    const run = runSimulation(1_000_000, 500);
    expect(run.wrong).toEqual([]);
    expect(run.unrepeatable).toEqual([]);
    expect([...run.used.keys()]).toEqual(expect.arrayContaining(['cut', 'stall', 'close', 'duplicate', '429', '503']));
  });

  it.each(clients)('takes nothing from the %s client at %s in a network that breaks at random', async (client, era) => {
    const run = await runThroughProxy({ client, era, seed: 7, seconds: 2, tasks: 4, everyMs: 5 });
    const { lost, duplicated, differing, hung, complaints, blamed } = run;
    expect({ lost, duplicated, differing, hung, complaints, blamed }).toEqual({
      lost: 0,
      duplicated: 0,
      differing: 0,
      hung: 0,
      complaints: [],
      blamed: {},
    });
    expect(isClean(run)).toBe(true);
    expect(run.events).toBeGreaterThan(4 * 400);
    expect(run.reconnects).toBeGreaterThan(0);
    expect(run.recoveriesMs.length).toBeGreaterThan(0);
  });

  it('is noticed and named where a server is wrong', async () => {
    const rows = await tryWrongServers('typescript');
    expect(rows.map(({ fault }) => fault)).toEqual([...FAULTS]);
    expect(rows.flatMap(({ fault, wrong }) => wrong.map((what) => `${fault}: ${what}`))).toEqual([]);
    const seen = Object.values(VERDICTS).filter((verdict) => !('unseen' in verdict));
    expect(seen.length).toBeGreaterThanOrEqual(18);
  });

  it.each(['typescript', ...(hasPython ? (['python'] as const) : [])] as const)(
    'counts what the %s client blames the server for',
    async (client) => {
      await using server = await startSmallServer('forgets related-task');
      const run = startClient(client, [server.addTrimmed('nobody', 1)], [server.url]);
      expect(await run.ended).toEqual([0]);
      expect([...run.faults.keys()]).toContain('missing_related_task');
    },
  );

  it('would not overlook a client that says nothing', async () => {
    const run = startClient('typescript', ['d1-0-unknown'], ['http://127.0.0.1:1/mcp']);
    run.kill();
    await run.ended;
    expect(run.followed.get('d1-0-unknown')).toEqual({ lines: [], seqs: [], outcome: undefined });
  });

  it('counts quantiles of what it measured', () => {
    expect([quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.99), quantile([], 0.5)]).toEqual([2, 3, Number.NaN]);
  });
});
