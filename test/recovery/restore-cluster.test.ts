/**
 * Backups are restored into a cluster of three: every node has the streams, logs are as they were, and tasks go on.
 * docs/recovery.md §Backup.
 */
import type { TaskSpec } from '@taskstream/core';
import { describe, expect, it, vi } from 'vitest';
import { connectStore, startCluster, startNats, type TestStore } from '../support/nats.js';
import { startWorker, stopAll } from '../support/system.js';
import { createTask, readTask, storedLines } from '../support/task-logs.js';
import { backUp, restore, type Snapshot } from './snapshots.js';
import { RECOVERY_TOOLS } from './stored-release.js';

const OPTIONS = { retentionClasses: [{ name: 'd', ttlMsMax: 86_400_000 }] };
const WORKER = {
  TASKSTREAM_LEASE_MS: '1500',
  TASKSTREAM_TOOLS: RECOVERY_TOOLS,
  TASKSTREAM_RETENTION_CLASSES: 'd:86400000',
  TASKSTREAM_SWEEP_EVERY_MS: '500',
};

interface Backup {
  readonly snapshots: ReadonlyArray<Snapshot>;
  /** What the logs held at least when it was begun. */
  readonly logs: ReadonlyMap<string, string[]>;
}

/** Of a system with one finished task and one that runs; everything of it is then ended. */
async function backUpOf(urls: string | string[], replicas: 1 | 3): Promise<Backup> {
  await using on = await connectStore(urls, { ...OPTIONS, replicas });
  const worker = await startWorker(urls, { ...WORKER, TASKSTREAM_REPLICAS: String(replicas) });
  try {
    const begin = (args: Record<string, unknown>) =>
      createTask(on, { tool: 'count', arguments: args, attemptsMax: 20 });
    const [done, runs] = [await begin({ n: 30 }), await begin({ n: 100, everyMs: 20 })];
    await readTask(on, done.taskId);
    await vi.waitFor(async () => expect(await nextSeq(on, runs)).toBeGreaterThan(10), { timeout: 20_000 });
    const logs = new Map<string, string[]>();
    for (const { taskId } of [done, runs]) logs.set(taskId, await storedLines(on, taskId));
    return { logs, snapshots: [await backUp(on.broker, 'TASKS_d_0'), await backUp(on.broker, 'WORK')] };
  } finally {
    await stopAll([worker], 'SIGKILL');
  }
}

async function nextSeq(on: TestStore, { taskId }: TaskSpec): Promise<number> {
  return (await on.store.tasks.read(taskId))?.nextSeq ?? 0;
}

describe('the snapshots of streams, in a new cluster', () => {
  it.each([3, 1] as const)(
    'of streams with replicas: %i',
    async (replicas) => {
      let from: Backup;
      {
        await using source = replicas === 3 ? await startCluster() : await startNats();
        from = await backUpOf('urls' in source ? source.urls : source.url, replicas);
      }
      await using fresh = await startCluster();
      {
        await using bare = await connectStore(fresh.urls, { retentionClasses: [], replicas: 3 });
        await bare.broker.jsm.streams.delete('WORK');
        for (const snapshot of from.snapshots) await restore(bare.broker, snapshot);
      }
      await using restored = await connectStore(fresh.urls, { ...OPTIONS, replicas: 3 });
      const { jsm } = restored.broker;
      const current = async (stream: string) => {
        const { config, cluster } = await jsm.streams.info(stream);
        return [config.num_replicas, cluster?.replicas?.filter((peer) => peer.current).length];
      };
      for (const stream of ['TASKS_d_0', 'WORK'])
        await expect.poll(() => current(stream), { timeout: 60_000 }).toEqual([3, 2]);

      const worker = await startWorker(fresh.urls, { ...WORKER, TASKSTREAM_REPLICAS: '3' });
      try {
        for (const [taskId, lines] of from.logs) {
          const read = await readTask(restored, taskId);
          expect(read.end).toMatchObject({ type: 'end', reason: 'terminal', status: 'completed' });
          expect(read.lines.slice(0, lines.length)).toEqual(lines);
          expect(read.lines).toEqual(await storedLines(restored, taskId));
        }
        const items = async () => (await jsm.streams.info('WORK')).state.messages;
        await expect.poll(items, { timeout: 20_000 }).toBe(0);
      } finally {
        await stopAll([worker], 'SIGKILL');
      }
    },
    120_000,
  );
});
