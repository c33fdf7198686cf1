/** Exactly-once effects over a database that crashes: what was not committed is as if it had never been. */
import { describe, expect, it } from 'vitest';
import { applyOnce, type TransactionalCursorStore } from '../src/apply-once.js';
import { createTaskClient } from '../src/task-client.js';
import { TASK } from './support/fake-server.js';
import { FAST, serve } from './support/with-server.js';

interface Tables {
  readonly cursors: Map<string, number>;
  readonly rows: number[];
}

/** Commits a copy, as a database does. `crash` says where to break. */
function database(crash: () => 'never' | 'before' | 'after') {
  let tables: Tables = { cursors: new Map(), rows: [] };
  const store: TransactionalCursorStore<Tables> = {
    load: (taskId) => tables.cursors.get(taskId),
    transaction: async (taskId, work) => {
      const tx: Tables = { cursors: new Map(tables.cursors), rows: [...tables.rows] };
      const where = crash();
      await work(tx, {
        load: () => tx.cursors.get(taskId),
        save: (seq) => {
          tx.cursors.set(taskId, seq);
        },
      });
      if (where === 'before') throw new Error('crash before the commit');
      tables = tx;
      if (where === 'after') throw new Error('crash after the commit');
    },
  };
  return { store, rows: () => tables.rows };
}

describe('applyOnce', () => {
  it('runs each effect once, however often the reader crashes', async () => {
    const server = await serve({
      'tasks/stream': ({ params }, reply) => {
        reply.sse();
        for (let seq = Number(params['after'] ?? -1) + 1; seq < 20; seq += 1) reply.event(seq);
        reply.terminal(20);
      },
    });
    let step = 0;
    const crashes = ['never', 'before', 'never', 'after', 'after', 'before'] as const;
    const { store, rows } = database(() => crashes[(step += 1) % crashes.length] ?? 'never');
    const client = createTaskClient({ endpoints: [server.url], limits: FAST });
    let runs = 0;
    for (let ended = false; !ended && runs < 100; runs += 1) {
      try {
        for await (const item of client.followTask(TASK, { cursorStore: store })) {
          if (item.type !== 'event') continue;
          const { event } = item;
          await applyOnce(store, event, (tx) => void tx.rows.push(event.seq));
        }
        ended = true;
      } catch (error) {
        expect(String(error)).toContain('crash');
      }
    }
    expect(rows()).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(runs).toBeGreaterThan(5);
  });

  it('says whether the effect ran, and leaves out what was committed', async () => {
    const { store, rows } = database(() => 'never');
    const effect = (tx: Tables): void => void tx.rows.push(1);
    await expect(applyOnce(store, { taskId: TASK, seq: 3 }, effect)).resolves.toBe(true);
    await expect(applyOnce(store, { taskId: TASK, seq: 3 }, effect)).resolves.toBe(false);
    await expect(applyOnce(store, { taskId: TASK, seq: 2 }, effect)).resolves.toBe(false);
    expect(rows()).toEqual([1]);
  });
});
