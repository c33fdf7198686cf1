/**
 * The children of a task under test: each runs as a task in memory of its own, as soon as it is made.
 *
 * Invariants: the same id is the same child; a reader of a log gets every event once, in order, then the end.
 */
import type { EventStream, Pack, TaskSnapshot, TaskSpec } from '@taskstream/core';
import { TaskstreamError } from '@taskstream/core';
import { encodeEventLine, isTerminal } from '@taskstream/protocol';
import type { ChildPorts } from '../children.js';
import type { Tool } from '../define-tool.js';
import { MemoryTask, type TestEvent } from './memory-task.js';

export class MemoryChildren {
  /** The task under test and its descendants, by id. */
  readonly tasks = new Map<string, MemoryTask>();
  /** What broke off a child. */
  fault: unknown;
  readonly ports: ChildPorts;

  /** `run` runs a task to its end. */
  constructor(tools: ReadonlyMap<string, Tool>, run: (task: MemoryTask) => Promise<void>) {
    this.ports = {
      catalogue: { get: (name) => tools.get(name)?.definition },
      tasks: {
        create: async (spec) => {
          const tool = tools.get(spec.tool);
          if (tool === undefined || this.tasks.has(spec.taskId)) return false;
          const task = new MemoryTask(tool, spec.arguments, spec);
          this.tasks.set(spec.taskId, task);
          run(task).catch((error: unknown) => (this.fault ??= error));
          return true;
        },
        read: async (taskId) => snapshotOf(this.tasks.get(taskId)),
        cancel: async (taskId, reason) => {
          const task = this.#find(taskId);
          if (!task.over) task.send({ type: 'cancel', ...(reason !== undefined && { reason }) });
        },
      },
      events: {
        open: async (taskId, after) => new MemoryStream(this.#find(taskId), after === undefined ? 0 : after + 1),
      },
    };
  }

  #find(taskId: string): MemoryTask {
    const task = this.tasks.get(taskId);
    if (task === undefined) throw new TaskstreamError('unknown_task', 'No such task');
    return task;
  }
}

class MemoryStream implements EventStream {
  readonly tailSeq: number;
  readonly #task: MemoryTask;
  #next: number;
  #closed: Parameters<EventStream['close']>[0] | undefined;
  #wake: () => void = () => undefined;

  constructor(task: MemoryTask, next: number) {
    this.#task = task;
    this.tailSeq = task.events.length;
    this.#next = next;
  }

  async next(): ReturnType<EventStream['next']> {
    const wake = () => this.#wake();
    this.#task.watchers.add(wake);
    try {
      for (;;) {
        const { status } = this.#task.status;
        const events = this.#task.events.slice(this.#next);
        if (this.#closed === undefined && events.length > 0) {
          this.#next += events.length;
          return { type: 'packs', packs: [packOf(this.#task.spec, events, status)] };
        }
        if (this.#closed !== undefined || isTerminal(status)) {
          return { type: 'end', reason: this.#closed ?? 'terminal', status, nextSeq: this.#next };
        }
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#task.watchers.delete(wake);
    }
  }

  close(reason: Parameters<EventStream['close']>[0]): void {
    this.#closed ??= reason;
    this.#wake();
  }
}

function packOf({ taskId }: TaskSpec, events: ReadonlyArray<TestEvent>, status: Pack['status']): Pack {
  const lines = events.map(({ seq, type, payload, attempt, identity }) =>
    encodeEventLine({
      seq,
      taskId,
      type,
      payloadJson: JSON.stringify(payload),
      at: new Date().toISOString(),
      attempt,
      worker: 'test-worker',
      identity,
    }),
  );
  return { firstSeq: events[0]?.seq ?? 0, count: events.length, status, data: Buffer.from(`${lines.join('\n')}\n`) };
}

function snapshotOf(task: MemoryTask | undefined): TaskSnapshot | undefined {
  if (task === undefined) return undefined;
  const { spec, status, events } = task;
  return { spec, status, statusUpdatedAt: new Date().toISOString(), nextSeq: events.length, paused: false };
}
