/** Slots, queues and the drain of a worker, over a queue that the test answers itself. */
import type { AttemptStore, ClaimedItem, TaskSpec } from '@taskstream/core';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineTool, type Task, type Tool } from '../src/define-tool.js';
import type { WorkerOptions } from '../src/worker-options.js';
import { WorkerRuntime } from '../src/worker-runtime.js';
import { FakeQueue, FakeTask, gate, itemOf, OPTIONS, recordingObserver, specOf } from './support/fakes.js';

function toolOn(queue: string, run: (task: Task) => Promise<string> | string = () => 'done'): Tool {
  return defineTool({
    name: `tool-${queue}`,
    description: 'A tool',
    queue,
    inputSchema: z.object({}),
    run: (_input, task) => run(task),
  });
}

/** Many tasks behind one store. */
class FakeTasks {
  readonly #tasks = new Map<string, FakeTask>();

  add(tool: string): { task: FakeTask; item: ClaimedItem } {
    const taskId = `d0-${String(this.#tasks.size).padStart(22, '0')}`;
    const task = new FakeTask(specOf({ taskId, tool }));
    this.#tasks.set(taskId, task);
    return { task, item: { ...itemOf(task), taskId } };
  }

  readonly store: AttemptStore = {
    readSpec: (id) => this.#of(id).readSpec(),
    readTail: (id) => this.#of(id).readTail(),
    readSuspension: (id) => this.#of(id).readSuspension(),
    openState: (id, attempt) => this.#of(id).openState(id, attempt),
    beginAttempt: (spec: TaskSpec, tail, start) => this.#of(spec.taskId).beginAttempt(spec, tail, start),
    failTask: (spec: TaskSpec, tail, status) => this.#of(spec.taskId).failTask(spec, tail, status),
    followMailbox: (id, onCommand, signal) => this.#of(id).followMailbox(id, onCommand, signal),
  };

  #of(taskId: string): FakeTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`no task ${taskId}`);
    return task;
  }
}

const running: WorkerRuntime[] = [];
afterEach(async () => {
  for (const runtime of running.splice(0)) await runtime.drain();
});

function scene(tools: Tool[], options: Partial<WorkerOptions> = {}) {
  const queue = new FakeQueue();
  const tasks = new FakeTasks();
  const { observer, told } = recordingObserver();
  const runtime = new WorkerRuntime({
    tools,
    attempts: tasks.store,
    work: queue,
    options: { ...OPTIONS, stopGraceMs: 50, drainMsMax: 100, ...options },
    observer,
  });
  running.push(runtime);
  return { queue, tasks, runtime, told };
}

describe('a worker', () => {
  it('refuses two tools of one name', () => {
    expect(() => scene([toolOn('a'), toolOn('a')])).toThrow(/two tools are called tool-a/);
  });

  it('asks for as many items as it has slots, and for no more than it has free', async () => {
    const gates = [gate<string>(), gate<string>()];
    let next = 0;
    const { queue, tasks, runtime } = scene([toolOn('a', () => (gates[next++] ?? gate<string>()).promise)], {
      slots: 3,
    });
    runtime.start();
    expect(queue.asked()).toBe(3);
    for (let i = 0; i < 2; i++) queue.open[0]?.give(tasks.add('tool-a').item);
    await delay(5);
    expect(runtime.running).toBe(2);
    expect(queue.pulls).toEqual([{ queue: 'a', count: 3 }]);
    gates[0]?.open('done');
    await expect.poll(() => runtime.running).toBe(1);
    expect(queue.pulls).toEqual([
      { queue: 'a', count: 3 },
      { queue: 'a', count: 1 },
    ]);
    gates[1]?.open('done');
    await expect.poll(() => runtime.running).toBe(0);
  });

  it('asks again when a pull has brought nothing', async () => {
    const { queue, runtime } = scene([toolOn('a')], { slots: 2 });
    runtime.start();
    queue.open[0]?.end();
    await expect.poll(() => queue.pulls.length).toBe(2);
    expect(queue.asked()).toBe(2);
  });

  it('shares its slots among its queues', () => {
    const { queue, runtime } = scene([toolOn('a'), toolOn('b'), toolOn('c')], { slots: 7 });
    runtime.start();
    expect(['a', 'b', 'c'].map((name) => queue.asked(name))).toEqual([2, 2, 2]);
  });

  it('with fewer slots than queues serves each of them in turn', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { queue, runtime } = scene(
      names.map((name) => toolOn(name)),
      { slots: 2 },
    );
    runtime.start();
    for (let i = 0; i < 10; i++) {
      expect(queue.asked()).toBe(2);
      queue.open[0]?.end();
      await delay(0);
    }
    const served = queue.pulls.map((p) => p.queue);
    for (const name of names) expect(served.filter((s) => s === name).length).toBeGreaterThanOrEqual(2);
  });

  it('never runs more than its slots, whatever comes and goes', async () => {
    let now = 0;
    let most = 0;
    const body = async () => {
      most = Math.max(most, ++now);
      await delay(1);
      now--;
      return 'done';
    };
    const { queue, tasks, runtime } = scene([toolOn('a', body), toolOn('b', body)], { slots: 3 });
    runtime.start();
    let given = 0;
    while (given < 100) {
      const pull = queue.open[given % Math.max(1, queue.open.length)];
      if (pull === undefined) await delay(1);
      else {
        pull.give(tasks.add(`tool-${pull.queue}`).item);
        given++;
      }
      expect(queue.asked() + runtime.running).toBeLessThanOrEqual(3);
    }
    await expect.poll(() => runtime.running).toBe(0);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('tells of a pull that failed, and tries again after a while', async () => {
    const { queue, runtime, told } = scene([toolOn('a')], { slots: 1, pullRetryMs: 30 });
    queue.failures = [new Error('no leader'), new Error('no leader')];
    runtime.start();
    await expect.poll(() => queue.open.length).toBe(1);
    expect(queue.pulls).toHaveLength(3);
    expect(told.map((t) => [t.what, t.fact['queue']])).toEqual([
      ['pullFailed', 'a'],
      ['pullFailed', 'a'],
    ]);
  });

  it('goes on when the work on an item fails around the tool', async () => {
    const { queue, tasks, runtime, told } = scene([toolOn('a')], { slots: 1 });
    runtime.start();
    queue.open[0]?.give({ ...tasks.add('tool-a').item, taskId: 'd0-unknown' });
    await expect.poll(() => told.map((t) => t.what)).toEqual(['itemFailed']);
    const { task, item } = tasks.add('tool-a');
    await expect.poll(() => queue.open.length).toBe(1);
    queue.open[0]?.give(item);
    await expect.poll(() => task.journal.at(-1)).toBe('ack');
  });
});

describe('a drain', () => {
  it('of an idle worker ends at once, and nothing is asked for any more', async () => {
    const { queue, runtime } = scene([toolOn('a')]);
    runtime.start();
    await runtime.drain();
    expect(queue.asked()).toBe(0);
    expect(queue.pulls).toHaveLength(1);
  });

  it('lets running attempts finish within their time', async () => {
    const waiting = gate<string>();
    const { queue, tasks, runtime } = scene([toolOn('a', () => waiting.promise)], { drainMsMax: 5_000 });
    runtime.start();
    const { task, item } = tasks.add('tool-a');
    queue.open[0]?.give(item);
    await expect.poll(() => task.journal.length).toBe(1);
    const drained = runtime.drain();
    waiting.open('done');
    await drained;
    expect(task.journal).toEqual(['started 1 first after 0', 'status completed', 'ack']);
  });

  it('hands over what is left then, and waits until it is', async () => {
    const obedient = (task: Task) =>
      new Promise<string>((_resolve, reject) => {
        task.signal.addEventListener('abort', () => reject(task.signal.reason as Error));
      });
    const deaf = () => new Promise<string>(() => undefined);
    const { queue, tasks, runtime } = scene([toolOn('a', obedient), toolOn('b', deaf)], { slots: 4 });
    runtime.start();
    const both = [tasks.add('tool-a'), tasks.add('tool-b')];
    both.forEach(({ item }, i) => queue.open.find((p) => p.queue === 'ab'[i])?.give(item));
    await expect.poll(() => runtime.running).toBe(2);
    await delay(5);
    await runtime.drain();
    expect(runtime.running).toBe(0);
    for (const { task } of both) {
      expect(task.journal).toEqual(['started 1 first after 0', 'ended handed_over', 'nak 0']);
    }
  });

  it('works on an item that still arrives', async () => {
    const { queue, tasks, runtime } = scene([toolOn('a')], { drainMsMax: 5_000 });
    queue.deaf = true;
    runtime.start();
    const drained = runtime.drain();
    const { task, item } = tasks.add('tool-a');
    const [pull] = queue.open;
    pull?.give(item);
    pull?.end();
    await drained;
    expect(task.journal.at(-1)).toBe('ack');
  });

  it('ends though a pull does not', async () => {
    const { queue, runtime } = scene([toolOn('a')], { drainMsMax: 50, stopGraceMs: 10 });
    queue.deaf = true;
    runtime.start();
    await runtime.drain();
    expect(queue.open).toHaveLength(1);
  });
});
