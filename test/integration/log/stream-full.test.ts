/** A stream that fills up: beginnings are refused first, then events; endings and commands still land. DESIGN §3.2. */
import type { AttemptLog, TaskSpec } from '@taskstream/core';
import { nanoid } from 'nanoid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { testSpec } from '../../support/specs.js';
import { beginAttempt, createTask, readTask, STEP } from '../../support/task-logs.js';

const STREAM = 'TASKS_full_0';
const STREAM_BYTES_MAX = 2 * 1024 * 1024;
const OPTIONS = {
  retentionClasses: [{ name: 'full', ttlMsMax: 3_600_000 }],
  streamBytesMax: STREAM_BYTES_MAX,
};

let nats: TestNats;
let on: TestStore;
let spec: TaskSpec;
let queued: TaskSpec;
let log: AttemptLog;

const inFull = (): Partial<TaskSpec> => ({ taskId: `full0-${nanoid(22)}` });
const fill = async () => (await on.broker.jsm.streams.info(STREAM)).state.bytes / STREAM_BYTES_MAX;

/** Emits until the stream is filled to a share; stops before it asks for room that is not there. */
async function fillTo(share: number): Promise<void> {
  while ((await fill()) < share) await log.append([{ type: STEP, payload: { text: 'x'.repeat(8_000) } }]);
}

/** How an attempt at something ends: `done` or the code of its error. */
async function outcomeOf(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, OPTIONS);
  spec = await createTask(on, inFull());
  queued = await createTask(on, inFull());
  log = await beginAttempt(on, spec);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

// The steps build on each other: one stream fills up.
describe('a stream', () => {
  it('takes everything while it has room', async () => {
    await fillTo(0.7);
    expect(await outcomeOf(() => on.store.tasks.create(testSpec(inFull())))).toBe('done');
  });

  it('filled to more than 80 % takes no new tasks, and leaves nothing of them behind', async () => {
    await fillTo(0.83);
    let refused = testSpec(inFull());
    await expect
      .poll(() => outcomeOf(() => on.store.tasks.create((refused = testSpec(inFull())))), { timeout: 8_000 })
      .toBe('stream_full');
    expect(await on.store.tasks.readSpec(refused.taskId)).toBeUndefined();
    await expect(on.store.events.open(refused.taskId, undefined)).rejects.toMatchObject({ code: 'unknown_task' });
    const items = await on.broker.jsm.streams.info('WORK', { subjects_filter: `work.*.*.*.${refused.taskId}` });
    expect(items.state.subjects ?? {}).toEqual({});
  });

  it('but takes events of the running ones', async () => {
    await log.append([{ type: STEP, payload: {} }]);
    expect(log.signal.aborted).toBe(false);
  });

  it('filled to more than 95 % takes no events either, and says why', async () => {
    await fillTo(0.96);
    const emit = () => log.append([{ type: STEP, payload: {} }]);
    await expect.poll(() => outcomeOf(emit), { timeout: 8_000 }).toBe('stream_full');
    await expect(emit()).rejects.toThrow(/TASKS_full_0 is nearly full; raise max_bytes/);
    expect(log.signal.aborted).toBe(false);
  });

  it('but takes commands, a cancel, a status and the ending', async () => {
    await on.store.tasks.send(spec.taskId, { type: 'cancel' });
    await on.store.tasks.cancel(queued.taskId);
    expect((await on.store.tasks.read(queued.taskId))?.status.status).toBe('cancelled');
    await log.appendStatus({ status: 'working', statusMessage: 'nearly there' });
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    expect((await on.store.tasks.read(spec.taskId))?.status.status).toBe('completed');
    const { end } = await readTask(on, spec.taskId, log.nextSeq - 3);
    expect(end).toMatchObject({ type: 'end', reason: 'terminal' });
  });

  it('filled to the brim refuses everything with one clear error, and serves every reader', async () => {
    const other = await createTask(on, { taskId: spec.taskId }).catch(() => undefined);
    expect(other).toBeUndefined();
    for (let text = 'x'.repeat(4_000); text !== ''; text = text.slice(Math.ceil(text.length / 2))) {
      // Foreign writes know no share that is kept for endings.
      const put = () => on.broker.js.publish(`state.full.0.${spec.taskId}.k${nanoid(8)}`, text);
      while ((await outcomeOf(put)) === 'done') continue;
    }
    // A node that does not know yet how full it is learns it from the server.
    const fresh = await connectStore(nats.url, OPTIONS);
    await expect(fresh.store.tasks.create(testSpec(inFull()))).rejects.toMatchObject({ code: 'stream_full' });
    await expect(fresh.store.tasks.send(spec.taskId, { type: 'cancel' })).rejects.toMatchObject({
      code: 'stream_full',
    });
    const { lines } = await readTask(fresh, spec.taskId);
    expect(lines).toHaveLength(log.nextSeq);
    await fresh[Symbol.asyncDispose]();
  });
});
