/**
 * What checks share: the server under test, its tasks, and a reading of a task over as many streams as it takes.
 *
 * Invariant: a server that never comes to an end is given up after a bounded number of streams.
 */
import * as z from 'zod';
import type { KitOptions, ToolCall } from './options.js';
import type { Reading } from './reading.js';
import type { Verdict } from './report.js';
import type { RequirementId } from './requirements.js';
import { describeEnd, Endpoint, type Answer, type Leg, type WireEvent } from './wire.js';

/** Streams that a task is followed through before the kit gives up. */
const LEGS_MAX = 100;
const TERMINAL = new Set(['completed', 'failed', 'cancelled']);
const TaskShape = z.looseObject({ taskId: z.string().min(1), status: z.string().min(1) });
export type TaskState = z.infer<typeof TaskShape>;

export interface Check {
  readonly name: string;
  /** What it promises a verdict on. */
  readonly ids: readonly RequirementId[];
  run(kit: Kit, verdict: Verdict): Promise<void>;
}

export class Kit {
  readonly options: KitOptions;
  readonly endpoint: Endpoint;
  #finished: Promise<Reading> | undefined;

  constructor(options: KitOptions) {
    this.options = options;
    this.endpoint = new Endpoint(options.url, options.headers, options.deadlineMs);
  }

  /** Calls a tool. @throws Error when no task comes of it */
  async call(tool: ToolCall, onAnswer: (answer: Answer) => void = () => undefined): Promise<string> {
    const answer = await this.endpoint.request('tools/call', { name: tool.name, arguments: tool.args });
    onAnswer(answer);
    const task = answer.end.kind === 'result' ? TaskShape.safeParse(answer.end.result) : undefined;
    if (task?.success === true) return task.data.taskId;
    throw new Error(`tools/call of ${tool.name} gave no task but ${describeEnd(answer.end)}`);
  }

  async get(taskId: string): Promise<TaskState> {
    const { end } = await this.endpoint.request('tasks/get', { taskId });
    const task = end.kind === 'result' ? TaskShape.safeParse(end.result) : undefined;
    if (task?.success === true) return task.data;
    throw new Error(`tasks/get of ${taskId} gave no task but ${describeEnd(end)}`);
  }

  async isOver(taskId: string): Promise<boolean> {
    return TERMINAL.has((await this.get(taskId)).status);
  }

  /** Asks for the end of a task. What comes of it is not judged here. */
  async cancel(taskId: string): Promise<void> {
    await this.endpoint.request('tasks/cancel', { taskId });
  }

  /**
   * Reads a task to its end, over as many streams as it takes: a server may end a stream early. `cutAfter` closes each
   * of the first `cuts` streams after so many events.
   */
  async read(
    taskId: string,
    options: { after?: number; cuts?: number; cutAfter?: number; onEvent?: (event: WireEvent) => void } = {},
  ): Promise<Reading> {
    const { cuts = 0, cutAfter = 3 } = options;
    const legs: Leg[] = [];
    let cursor = options.after;
    while (legs.length < LEGS_MAX) {
      const cut = legs.length < cuts;
      const leg = await this.endpoint.stream(taskId, cursor, {
        stop: (event, count) => {
          options.onEvent?.(event);
          return cut && count >= cutAfter;
        },
      });
      legs.push(leg);
      const highest = leg.events.reduce((max, e) => (e.seq > max ? e.seq : max), cursor ?? -1);
      const news = highest > (cursor ?? -1);
      if (leg.end.kind !== 'result' && leg.end.kind !== 'stopped') return { taskId, legs };
      if (!news && leg.end.kind === 'result' && (await this.isOver(taskId))) return { taskId, legs };
      if (highest >= 0) cursor = highest;
    }
    return { taskId, legs };
  }

  /** A finite task, read to its end once and used by all checks that need one. */
  finished(): Promise<Reading> {
    this.#finished ??= this.call(this.options.finite).then((taskId) => this.read(taskId));
    return this.#finished;
  }
}
