/**
 * Records what this release stores, as fixtures for the releases after it: `npm run record:release`. Tasks in every
 * state that a rolling upgrade may meet, made by a real worker on a real nats-server; none of them expires.
 */
import { connectBroker } from '@taskstream/jetstream';
import { isTerminal } from '@taskstream/protocol';
import { nanoid } from 'nanoid';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectStore, startNats } from '../support/nats.js';
import { startWorker } from '../support/system.js';
import { createTask } from '../support/task-logs.js';
import { dumpStream, FIXTURES, RECOVERY_TOOLS, saveStream } from './stored-release.js';

const WAIT_MS_MAX = 60_000;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${WAIT_MS_MAX} ms`);
    await delay(50);
  }
}

const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const release = version.split('.').slice(0, 2).join('.');
const directory = join(FIXTURES, release);

await using nats = await startNats();
await using on = await connectStore(nats.url, { retentionClasses: [{ name: 'p', ttlMsMax: null }] });
const begin = (tool: string, args: Record<string, unknown>) =>
  createTask(on, {
    taskId: `p0-${nanoid(22)}`,
    tool,
    arguments: args,
    ttlMs: null,
    attemptsMax: 20,
    clientCapabilities: { elicitation: {} },
  });
const status = async (taskId: string) => (await on.store.tasks.read(taskId))?.status.status ?? 'working';
const over = async (taskId: string) => isTerminal(await status(taskId));
const nextSeq = async (taskId: string) => (await on.store.tasks.read(taskId))?.nextSeq ?? 0;

const worker = await startWorker(nats.url, {
  TASKSTREAM_TOOLS: RECOVERY_TOOLS,
  TASKSTREAM_RETENTION_CLASSES: 'p:',
});
const completed = await begin('count', { n: 12 });
const retried = await begin('flaky', { until: 2 });
const failed = await begin('fail', { how: 'protocol_error' });
for (const { taskId } of [completed, retried, failed]) await until('a task ends', () => over(taskId));
const suspended = await begin('ask', { names: ['colour'], suspend: true });
await until('a task is suspended', async () => {
  return (await on.store.attempts.readTail(suspended.taskId))?.suspended === true;
});
const checkpointed = await begin('batch', { n: 60, everyMs: 25 });
const stepping = await begin('steps', { n: 5, ms: [400, 1] });
const paused = await begin('count', { n: 40, everyMs: 25 });
const told = await begin('count', { n: 60, everyMs: 25 });
await until('tasks run', async () => {
  const seqs = await Promise.all([checkpointed, paused, told].map(({ taskId }) => nextSeq(taskId)));
  return seqs.every((seq) => seq > 5) && (await nextSeq(stepping.taskId)) > 3;
});
await on.store.tasks.send(paused.taskId, { type: 'pause' });
await until('a task is paused', async () => (await on.store.tasks.read(paused.taskId))?.paused === true);
worker.kill('SIGKILL');
await worker.exited;
// What lies in a mailbox and was not read by anybody.
await on.store.tasks.send(told.taskId, { type: 'pause' });
await on.store.tasks.send(told.taskId, { type: 'resume' });
const cancelled = await begin('count', { n: 5 });
await on.store.tasks.cancel(cancelled.taskId, 'never mind');
const queued = await begin('count', { n: 5 });
const unwanted = await begin('count', { n: 5 });

await rm(directory, { recursive: true, force: true });
await using dump = await connectBroker({
  servers: nats.url,
  name: 'dump',
  connectMsMax: 10_000,
  readTimeoutMs: 5_000,
}).then((broker) => ({ broker, [Symbol.asyncDispose]: () => broker.close() }));
for (const name of ['TASKS_p_0', 'WORK', 'KV_TASKSTREAM_TOOLS']) {
  await saveStream(directory, await dumpStream(dump.broker, name));
}
const tasks = {
  completed,
  retried,
  failed,
  suspended,
  checkpointed,
  stepping,
  paused,
  told,
  cancelled,
  queued,
  unwanted,
};
const ids = Object.fromEntries(Object.entries(tasks).map(([what, { taskId }]) => [what, taskId]));
await writeFile(join(directory, 'tasks.json'), `${JSON.stringify(ids, null, 2)}\n`);
