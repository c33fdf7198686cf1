/** `createTestTask` tells what a real worker on a real nats-server tells, event by event. */
import type { Tool } from '@taskstream/worker';
import { createTestTask } from '@taskstream/worker/testing';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { comparable, isOver, RealWorker, runReal, type Outside, type Told } from './real-task.js';

const TOOLS = new URL('./contract-tools.mjs', import.meta.url);

let nats: TestNats;
let on: TestStore;
let worker: RealWorker;
let tools: Map<string, Tool>;

beforeAll(async () => {
  nats = await startNats();
  worker = new RealWorker(nats, fileURLToPath(TOOLS));
  await worker.start();
  on = await connectStore(nats.url, { leaseMs: 1_500 });
  const module = (await import(TOOLS.href)) as { default: Tool[] };
  tools = new Map(module.default.map((tool) => [tool.definition.name, tool]));
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await worker?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function runInMemory(
  tool: Tool,
  input: Record<string, unknown>,
  drive: (outside: Outside) => Promise<void>,
): Promise<Told[]> {
  const task = createTestTask(tool, input, { tools: [...tools.values()] });
  const ended = task.run();
  await drive(task);
  const { events } = await ended;
  return events.map((e) => comparable({ ...e, identity: e.identity ?? {} }));
}

const nothing = async () => undefined;
const endings = [
  'tool_error',
  'protocol_error',
  'retried',
  'exhausted',
  'string',
  'bad_result',
  'too_large',
  'bad_event',
  'unprefixed',
  'large_event',
  'unseen',
  'late',
];

const scenarios: ReadonlyArray<
  readonly [string, string, Record<string, unknown>, (outside: Outside) => Promise<void>]
> = [
  ['events of every kind', 'talk', { n: 3 }, nothing],
  ['arguments that break the schema', 'talk', { n: 'three' }, nothing],
  ...endings.map((how) => [`the ending ${how}`, 'ends', { how }, nothing] as const),
  [
    'questions and answers, and answers that break their schema until it is enough',
    'asks',
    {},
    async (outside) => {
      await outside.asked('two');
      await outside.answer('two', { roots: [] });
      await outside.answer('one', { action: 'accept', content: { yes: true } });
      let asked = '';
      for (const n of ['x', null, true]) {
        // The same question comes again, with what was wrong.
        await expect
          .poll(async () => JSON.stringify(await outside.asked('three')), { timeout: 30_000, interval: 5 })
          .not.toBe(asked);
        asked = JSON.stringify(await outside.asked('three'));
        await outside.answer('three', { action: 'accept', content: { n } });
      }
    },
  ],
  [
    'a cancel',
    'waits',
    {},
    async (outside) => {
      await outside.emitted('com.example.here');
      await outside.cancel('enough');
    },
  ],
  [
    'a worker that dies',
    'waits',
    {},
    async (outside) => {
      await outside.emitted('com.example.here');
      await outside.crash();
    },
  ],
  [
    'steps and checkpoints over a crash',
    'records',
    {},
    async (outside) => {
      await outside.emitted('com.example.saved');
      await outside.crash();
    },
  ],
  [
    'steers, a pause and a resume',
    'steered',
    {},
    async (outside) => {
      await outside.emitted('dev.taskstream.attempt.started');
      await outside.steer('left', { n: 1 });
      await outside.emitted('com.example.heard');
      await outside.pause();
      await outside.emitted('dev.taskstream.task.paused');
      await outside.steer('right');
      await outside.emitted('com.example.heard', 2);
      await outside.resume();
    },
  ],
  [
    'children, found again over a crash',
    'parent',
    {},
    async (outside) => {
      await outside.emitted('com.example.children');
      await outside.crash();
    },
  ],
  [
    'a task that is suspended while it asks',
    'suspends',
    {},
    async (outside) => {
      for (const [i, name] of ['one', 'two'].entries()) {
        await outside.asked(name);
        await outside.emitted('dev.taskstream.attempt.ended', i + 1);
        await outside.answer(name, i === 0 ? { action: 'accept', content: { yes: true } } : { action: 'decline' });
      }
    },
  ],
  [
    'a worker that drains',
    'waits',
    {},
    async (outside) => {
      await outside.emitted('com.example.here');
      await outside.handOver();
    },
  ],
];

describe('the test kit and a real worker tell the same of', () => {
  it.each(scenarios)('%s', async (_what, name, input, drive) => {
    const tool = tools.get(name);
    if (tool === undefined) throw new Error(`no tool ${name}`);
    const real = await runReal(on, worker, tool, input, drive);
    const kit = await runInMemory(tool, input, drive);
    expect(kit).toEqual(real);
    expect(isOver(real)).toBe(true);
  });
});
