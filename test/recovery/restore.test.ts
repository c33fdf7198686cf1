/**
 * Backups are restored into a new server: logs are as they were, and tasks go on, whatever the backup of the work
 * stream says. docs/recovery.md §Backup.
 */
import type { TaskSpec } from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { startWorker, stopAll, type TestProcess } from '../support/system.js';
import { createTask, readTask, storedLines } from '../support/task-logs.js';
import { backUp, restore, type Snapshot } from './snapshots.js';
import { RECOVERY_TOOLS } from './stored-release.js';

const OPTIONS = { retentionClasses: [{ name: 'd', ttlMsMax: 86_400_000 }] };
const WORKER = {
  TASKSTREAM_LEASE_MS: '1500',
  TASKSTREAM_TOOLS: RECOVERY_TOOLS,
  TASKSTREAM_RETENTION_CLASSES: 'd:86400000',
  TASKSTREAM_ORPHAN_ITEM_MS: '1000',
  TASKSTREAM_UNKNOWN_TASK_RETRY_MS: '200',
};

/** A backup, and what the logs held at least when it was begun. */
interface Backup {
  readonly tasks: Snapshot;
  readonly work: Snapshot;
  readonly logs: ReadonlyMap<string, string[]>;
}

let source: TestNats;
let on: TestStore;
let processes: TestProcess[] = [];
let suspended: TaskSpec;
let early: Backup;
let late: Backup;

const begin = (tool: string, args: Record<string, unknown>, overrides: Partial<TaskSpec> = {}) =>
  createTask(on, { tool, arguments: args, attemptsMax: 20, clientCapabilities: { elicitation: {} }, ...overrides });
const waitFor = (what: () => Promise<boolean>) =>
  vi.waitFor(async () => expect(await what()).toBe(true), { timeout: 40_000, interval: 50 });
const over = async (spec: TaskSpec) => isTerminal((await on.store.tasks.read(spec.taskId))?.status.status ?? 'working');
const further = async (spec: TaskSpec, seq: number) => ((await on.store.tasks.read(spec.taskId))?.nextSeq ?? 0) > seq;

async function takeBackup(specs: ReadonlyArray<TaskSpec>): Promise<Backup> {
  const logs = new Map<string, string[]>();
  for (const { taskId } of specs) logs.set(taskId, await storedLines(on, taskId));
  return { logs, work: await backUp(on.broker, 'WORK'), tasks: await backUp(on.broker, 'TASKS_d_0') };
}

beforeAll(async () => {
  source = await startNats();
  on = await connectStore(source.url, OPTIONS);
  processes = [await startWorker(source.url, WORKER)];
  const done = await begin('count', { n: 30 });
  suspended = await begin('ask', { names: ['colour'], suspend: true });
  const ends = await begin('count', { n: 60, everyMs: 20 });
  const runs = await begin('batch', { n: 50, everyMs: 20 });
  const waits = await begin('count', { n: 5 }, { startAt: new Date(Date.now() + 2_500).toISOString() });
  await waitFor(async () => (await over(done)) && (await further(ends, 10)) && (await further(runs, 10)));
  await waitFor(async () => (await on.store.attempts.readTail(suspended.taskId))?.suspended === true);
  const first = [done, suspended, ends, runs, waits];
  // While they run: a backup asks nobody to stop.
  early = await takeBackup(first);
  await waitFor(() => over(ends));
  const later = await begin('count', { n: 50, everyMs: 20 });
  const queued = await begin('count', { n: 4 }, { queue: 'default', priority: 8 });
  await waitFor(() => further(later, 10));
  late = await takeBackup([...first, later, queued]);
  await stopAll(processes, 'SIGKILL');
  processes = [];
});

afterAll(async () => {
  await stopAll(processes, 'SIGKILL');
  await on?.[Symbol.asyncDispose]();
  await source?.[Symbol.asyncDispose]();
});

/** Everything goes on: each log begins with what it was, has no gap, and ends; no item is left. */
async function expectAllGoesOn(restored: TestStore, logs: ReadonlyMap<string, string[]>, url: string): Promise<void> {
  const worker = await startWorker(url, {
    ...WORKER,
    TASKSTREAM_SWEEP_EVERY_MS: '500',
    TASKSTREAM_PUBLISH_RETRY_MS_MAX: '3000',
  });
  processes.push(worker);
  const open = (await restored.store.tasks.read(suspended.taskId))?.status.inputRequests ?? {};
  const response = { action: 'accept', content: { text: 'blue' } };
  for (const key of Object.keys(open))
    await restored.store.tasks.send(suspended.taskId, { type: 'input', key, response });
  for (const [taskId, lines] of logs) {
    const read = await readTask(restored, taskId);
    expect(read.end).toMatchObject({ type: 'end', reason: 'terminal', status: 'completed' });
    expect(read.lines.slice(0, lines.length)).toEqual(lines);
    expect(read.lines).toEqual(await storedLines(restored, taskId));
  }
  const items = async () => (await restored.broker.jsm.streams.info('WORK')).state.messages;
  await expect.poll(items, { timeout: 20_000 }).toBe(0);
  await stopAll([worker], 'SIGKILL');
}

const CASES: ReadonlyArray<readonly [string, () => { from: Backup; work: Snapshot | undefined }]> = [
  ['with the work stream of the same backup', () => ({ from: late, work: late.work })],
  ['with an older work stream: what is missing is queued', () => ({ from: late, work: early.work })],
  ['with a newer work stream: what has no log is dropped', () => ({ from: early, work: late.work })],
  ['without a work stream: it is made from the logs', () => ({ from: late, work: undefined })],
];

describe('the snapshots of streams, in a new server', () => {
  it.each(CASES)('%s', async (_what, backup) => {
    const { from, work } = backup();
    await using fresh = await startNats();
    await using bare = await connectStore(fresh.url, { retentionClasses: [] });
    await bare.broker.jsm.streams.delete('WORK');
    for (const stream of [from.tasks, work]) if (stream !== undefined) await restore(bare.broker, stream);
    await using restored = await connectStore(fresh.url, OPTIONS);
    await expectAllGoesOn(restored, from.logs, fresh.url);
  });
});

describe('the store directory of a stopped server, copied', () => {
  it('is the whole of it', async () => {
    await source.server.stop();
    await using fresh = await startNats();
    await fresh.server.stop();
    await rm(join(fresh.server.dataDir, 'store'), { recursive: true });
    await cp(join(source.server.dataDir, 'store'), join(fresh.server.dataDir, 'store'), { recursive: true });
    await fresh.server.restart();
    await using restored = await connectStore(fresh.url, OPTIONS);
    await expectAllGoesOn(restored, late.logs, fresh.url);
  });
});
