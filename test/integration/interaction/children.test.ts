/** Child tasks with real workers: linked both ways, found again after a crash, ended with their parent. */
import { parseTaskId, type TaskPlace } from '@taskstream/core';
import { specSubject, streamName } from '@taskstream/jetstream';
import type { TaskEvent } from '@taskstream/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTask, rpc } from '../../support/rpc.js';
import { ofType, startInteractionScene, type InteractionScene } from './scene.js';

let scene: InteractionScene;

beforeAll(async () => {
  scene = await startInteractionScene('./family-tools.mjs', {
    TASKSTREAM_CHILDREN_MAX: '5',
    TASKSTREAM_CHILD_DEPTH_MAX: '3',
    TASKSTREAM_PARENT_CHECK_MS: '300',
    TASKSTREAM_CANCEL_GRACE_MS: '300',
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

/** A worker is there; most tests do not mind which. */
async function needWorker(): Promise<void> {
  if (scene.workers === 0) await scene.worker();
}

const spawned = (events: readonly TaskEvent[]) => ofType(events, 'dev.taskstream.child.spawned').map((e) => e.payload);
const ended = (events: readonly TaskEvent[]) => ofType(events, 'dev.taskstream.child.ended').map((e) => e.payload);
const leaves = (events: readonly TaskEvent[]) => ofType(events, 'com.example.leaf').length;
const textOf = ({ result }: Record<string, unknown>) =>
  (result as { content: Array<{ text: string }> }).content[0]?.text ?? '';
const childIds = async (taskId: string, count: number) => {
  const events = await scene.whenEvents(taskId, (e) => spawned(e).length === count);
  return spawned(events).map((p) => String(p['taskId']));
};
const cancel = (taskId: string) => rpc(scene.endpoint, 'tasks/cancel', { taskId });

/** Ids of the tasks that were made under a parent: every spec in its stream that names it. */
async function specsOf(parentId: string): Promise<string[]> {
  const place = parseTaskId(parentId) as TaskPlace;
  const { jsm } = scene.own.broker;
  const { state } = await jsm.streams.info(streamName(place), {
    subjects_filter: specSubject(place, '*'),
  });
  const made: string[] = [];
  for (const subject of Object.keys(state.subjects ?? {})) {
    const m = await jsm.streams.getMessage(streamName(place), { last_by_subj: subject });
    const spec = m?.json<{ taskId: string; parent?: { taskId: string } }>();
    if (spec?.parent?.taskId === parentId) made.push(spec.taskId);
  }
  return made;
}

describe('a child', () => {
  it('is a task of the same owner, linked both ways, whose result its parent gets', async () => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'parent', { leaves: [2, 3] });
    expect(textOf(await scene.whenStatus(taskId, 'completed'))).toBe('leaf 2, leaf 3');
    const events = await scene.events(taskId);
    const ids = spawned(events).map((p) => String(p['taskId']));
    expect(spawned(events)).toEqual(
      [0, 1].map((i) => ({ taskId: expect.stringMatching(/^d0-[\w-]{22}$/), name: `leaf-${i}`, tool: 'leaf' })),
    );
    expect(ended(events).toSorted((a, b) => String(a['name']).localeCompare(String(b['name'])))).toEqual(
      [0, 1].map((i) => ({ taskId: ids[i], name: `leaf-${i}`, status: 'completed' })),
    );
    for (const [i, id] of ids.entries()) {
      expect(await scene.statusOf(id)).toMatchObject({ status: 'completed' });
      const childEvents = await scene.events(id);
      expect(leaves(childEvents)).toBe(i + 2);
      for (const { _meta } of childEvents) {
        expect(_meta?.['dev.taskstream/event']).toMatchObject({ parentTaskId: taskId });
      }
      const [parent, child] = await Promise.all([taskId, id].map((t) => scene.own.store.tasks.readSpec(t)));
      expect(child).toMatchObject({ owner: parent?.owner, priority: 2, parent: { taskId, depth: 1 } });
      // It lives as long as its parent.
      const endOf = (s: typeof child) => Date.parse(s?.createdAt ?? '') + (s?.ttlMs ?? 0);
      expect(endOf(child)).toBe(endOf(parent));
    }
  });

  it('can be followed event by event, and its failure is an outcome', async () => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'follows', { n: 3 });
    const { seen, status, isError } = JSON.parse(textOf(await scene.whenStatus(taskId, 'completed'))) as {
      seen: string[];
      status: string;
      isError: boolean;
    };
    const [childId = ''] = await childIds(taskId, 1);
    expect(seen).toEqual((await scene.events(childId)).map((e) => `${e.seq} ${e.type}`));
    expect({ status, isError }).toEqual({ status: 'completed', isError: true });
    expect(ended(await scene.events(taskId))).toMatchObject([{ status: 'completed', isError: true }]);
  });

  it('gets the slot of the parent that waits for it: one slot is enough for any number of them', async () => {
    // The worker's two queues take turns with its one slot.
    await scene.killWorkers();
    await scene.worker({ TASKSTREAM_SLOTS: '1', TASKSTREAM_CLAIM_MS_MAX: '200' });
    const taskIds = await Promise.all([
      ...Array.from({ length: 6 }, () => callTask(scene.endpoint, 'parent', { leaves: [2, 1], everyMs: 5 })),
      callTask(scene.endpoint, 'nested', { depth: 3 }),
    ]);
    for (const taskId of taskIds) await scene.whenStatus(taskId, 'completed');
    expect(textOf(await scene.statusOf(taskIds[6] ?? ''))).toBe('3 over 2 over 1 over bottom');
    await scene.killWorkers();
  });
});

describe('a parent whose worker dies', () => {
  it('finds its children again, running or over, and spawns none twice', async () => {
    for (const how of ['diesAfterSpawn', 'diesAfterResult']) {
      await needWorker();
      const taskId = await callTask(scene.endpoint, 'parent', { leaves: [4, 2], everyMs: 20, [how]: true });
      await scene.whenEvents(taskId, (e) => ofType(e, 'com.example.spawned').length === 1);
      await expect.poll(() => scene.workers, { timeout: 20_000 }).toBe(0);
      await needWorker();
      expect(textOf(await scene.whenStatus(taskId, 'completed'))).toBe('leaf 4, leaf 2');
      const events = await scene.events(taskId);
      const said = ofType(events, 'com.example.spawned').map((e) => e.payload['taskIds']);
      expect(said).toHaveLength(2);
      expect(said[1]).toEqual(said[0]);
      expect(spawned(events)).toHaveLength(2);
      expect(ended(events)).toHaveLength(2);
      expect((await specsOf(taskId)).toSorted()).toEqual((said[0] as string[]).toSorted());
    }
  });
});

describe('the end of a parent', () => {
  it('by a cancel ends its children', async () => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'parent', { leaves: [10_000, 10_000], everyMs: 20 });
    const ids = await childIds(taskId, 2);
    await scene.whenEvents(ids[0] ?? '', (e) => leaves(e) > 1);
    await cancel(taskId);
    await scene.whenStatus(taskId, 'cancelled');
    for (const id of ids) expect((await scene.whenStatus(id, 'cancelled'))['status']).toBe('cancelled');
  });

  it('by its result ends those that still run, unless they are abandoned', async () => {
    await needWorker();
    const parentOf = (abandon: boolean) =>
      callTask(scene.endpoint, 'parent', { leaves: [50], everyMs: 20, waits: false, abandon });
    const [kept, left] = await Promise.all([parentOf(false), parentOf(true)]);
    await Promise.all([scene.whenStatus(kept, 'completed'), scene.whenStatus(left, 'completed')]);
    const [[keptChild = ''], [leftChild = '']] = [await childIds(kept, 1), await childIds(left, 1)];
    await scene.whenStatus(keptChild, 'cancelled');
    await scene.whenStatus(leftChild, 'completed');
    expect(leaves(await scene.events(leftChild))).toBe(50);
  });

  it('whose worker is dead is noticed by the children themselves, begun or not', async () => {
    await scene.killWorkers();
    const parentWorker = await scene.worker();
    const taskId = await callTask(scene.endpoint, 'parent', {
      leaves: [10_000, 10_000],
      everyMs: 20,
      tool: 'far_leaf',
    });
    const ids = await childIds(taskId, 2);
    parentWorker.kill('SIGKILL');
    await parentWorker.exited;
    // Nobody runs the parent, and its log still says that an attempt does. A 2025-11-25 cancel fences it.
    await scene.own.store.tasks.cancelNow(taskId);
    expect((await scene.statusOf(taskId))['status']).toBe('cancelled');
    await needWorker();
    for (const id of ids) expect((await scene.whenStatus(id, 'cancelled'))['status']).toBe('cancelled');
  });

  it('is noticed while they run, within parentCheckMs', async () => {
    await scene.killWorkers();
    const first = await scene.worker();
    const taskId = await callTask(scene.endpoint, 'parent', { leaves: [10_000], everyMs: 20 });
    const [id = ''] = await childIds(taskId, 1);
    await scene.whenEvents(id, (e) => leaves(e) > 1);
    // As if by a worker that died between its last append and its children.
    await scene.own.store.tasks.cancelNow(taskId);
    await scene.whenStatus(id, 'cancelled');
    expect(first.log()).not.toMatch(/"level":50/);
  });
});

describe('a spawn that must be refused', () => {
  it.each([
    ['unknown', 'no_such_tool'],
    ['twice', 'unique'],
    ['many', 'childrenMax'],
    ['options', 'name: expected 1 to 64 characters'],
  ])('%s: says why', async (how, text) => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'bad_spawner', { how });
    const { result } = await scene.whenStatus(taskId, 'completed');
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result)).toContain(text);
    expect((await specsOf(taskId)).length).toBeLessThanOrEqual(5);
  });

  it('too deep: the child that may have none fails, and so do those above it', async () => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'nested', { depth: 4 });
    const { result } = await scene.whenStatus(taskId, 'completed');
    expect(JSON.stringify(result)).toContain('childDepthMax');
  });

  it('under a name that an earlier attempt used for other input', async () => {
    await needWorker();
    const taskId = await callTask(scene.endpoint, 'bad_spawner', { how: 'changed' });
    await expect.poll(() => scene.workers, { timeout: 20_000 }).toBe(0);
    await needWorker();
    const { result } = await scene.whenStatus(taskId, 'completed');
    expect(JSON.stringify(result)).toContain('another tool or input');
  });
});
