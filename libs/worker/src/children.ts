/**
 * The children of one attempt: spawned once over all attempts, told in the log before they exist, ended with their
 * parent.
 *
 * Invariants: `child.spawned` is durable before the child is made, so that the log names every child there may be; a name
 * is one child, over all attempts; a child's end is told once; how many there are and how deep they nest is bounded.
 */
import {
  isTaskstreamError,
  QueueName,
  type AttemptLog,
  type EventReader,
  type TaskSpec,
  type TaskStore,
  type ToolCatalogue,
} from '@taskstream/core';
import { describeIssues, SystemEvent, type ChildEnded, type ChildSpawned } from '@taskstream/protocol';
import * as z from 'zod';
import { readChildren, type ChildRecord } from './child-records.js';
import { childSpec } from './child-spec.js';
import { SpawnedTask, type ChildTask, type TaskOutcome } from './child-task.js';
import { ToolError } from './tool-errors.js';
import type { WorkerOptions } from './worker-options.js';

/** What a worker needs to let its tools spawn tasks. */
export interface ChildPorts {
  readonly tasks: Pick<TaskStore, 'create' | 'read' | 'cancel'>;
  readonly events: EventReader;
  readonly catalogue: Pick<ToolCatalogue, 'get'>;
}

export interface SpawnOptions {
  /** What this task calls the child: the same name is the same child in every attempt. The tool's name when absent. */
  readonly name?: string;
  /** The tool's own when absent. */
  readonly queue?: string;
  /** 2 when absent, or the parent's when that is lower: children go before tasks that nobody has ranked. */
  readonly priority?: number;
  /** Whether the child goes on when this task has ended. No when absent. */
  readonly abandon?: boolean;
  /** Whether the child may put questions to clients that follow it. No when absent. */
  readonly asks?: boolean;
}

const Options = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected 1 to 64 characters of A-Z a-z 0-9 _ . -')
    .optional(),
  queue: QueueName.optional(),
  priority: z.int().min(0).max(9).optional(),
  abandon: z.boolean().default(false),
  asks: z.boolean().default(false),
});

export type ChildBounds = Pick<WorkerOptions, 'childrenMax' | 'childDepthMax' | 'limitHit'>;

export interface ChildrenParts {
  readonly spec: TaskSpec;
  readonly log: AttemptLog;
  /** Undefined where tools cannot spawn. */
  readonly ports: ChildPorts | undefined;
  readonly signal: AbortSignal;
  /** The log below this seq was written by earlier attempts. */
  readonly earlierSeq: number;
  readonly bounds: ChildBounds;
  readonly lend: () => () => void;
}

export class Children {
  readonly #parts: ChildrenParts;
  /** Of earlier attempts and of this one, by name. */
  #records: Promise<Map<string, ChildRecord>> | undefined;
  /** Those of this attempt. */
  readonly #spawned = new Map<string, ChildRecord>();
  #waits = 0;
  #giveBack: () => void = () => undefined;

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
  }

  async spawn(tool: string, input: Readonly<Record<string, unknown>>, options: SpawnOptions = {}): Promise<ChildTask> {
    const { ports, spec, signal, bounds } = this.#parts;
    const { childDepthMax } = bounds;
    if (ports === undefined) throw new ToolError('spawn: this worker cannot spawn tasks');
    const parsed = Options.safeParse(options);
    if (!parsed.success) throw new TypeError(`spawn: ${describeIssues(parsed.error, options, 'options')}`);
    signal.throwIfAborted();
    const name = this.#nameOf(tool, parsed.data.name);
    const definition = ports.catalogue.get(tool);
    if (definition === undefined) throw new ToolError(`spawn: there is no tool ${tool}`);
    const { queue, priority, abandon, asks } = parsed.data;
    const request = { parent: spec, name, tool: definition, input, queue, priority, abandon, asks };
    const child = childSpec({ ...request, nowMs: Date.now() });
    if ((child.parent?.depth ?? 0) > childDepthMax) {
      bounds.limitHit?.('childDepthMax');
      throw new ToolError(`spawn: children may be nested ${childDepthMax} deep (childDepthMax)`);
    }
    // Reserved before anything is awaited: spawns of one turn are counted, too.
    const mine: ChildRecord = { taskId: child.taskId, abandoned: abandon, ended: false };
    this.#spawned.set(name, mine);
    const record = await this.#tell(name, mine, tool);
    try {
      await ports.tasks.create(child);
    } catch (error) {
      if (!isTaskstreamError(error, 'idempotency_conflict')) throw error;
      throw new ToolError(`spawn: the child ${name} was spawned for another tool or input before`, { cause: error });
    }
    return new SpawnedTask(child.taskId, name, {
      tasks: ports.tasks,
      events: ports.events,
      signal,
      lend: () => this.#lend(),
      onEnd: (outcome) => this.#ended(name, record, outcome),
    });
  }

  /** Asks for the end of every child that may still run. Resolves with what could not be asked. */
  async cancel(reason: string): Promise<Array<{ taskId: string; error: unknown }>> {
    const { ports } = this.#parts;
    if (ports === undefined || this.#spawned.size === 0) return [];
    const records = new Map([...(await this.#earlier()), ...this.#spawned]);
    const failed: Array<{ taskId: string; error: unknown }> = [];
    for (const { taskId, abandoned, ended } of records.values()) {
      if (abandoned || ended) continue;
      await ports.tasks.cancel(taskId, reason).catch((error: unknown) => {
        // Told, but never made.
        if (!isTaskstreamError(error, 'unknown_task')) failed.push({ taskId, error });
      });
    }
    return failed;
  }

  #nameOf(tool: string, given: string | undefined): string {
    if (given !== undefined) {
      if (this.#spawned.has(given))
        throw new ToolError(`spawn: the name ${given} is taken; names are unique in a task`);
      return given;
    }
    let name = tool;
    for (let n = 2; this.#spawned.has(name); n++) name = `${tool}-${n}`;
    return name;
  }

  /** Names the child in the log, unless an earlier attempt has. */
  async #tell(name: string, mine: ChildRecord, tool: string): Promise<ChildRecord> {
    const { log, bounds } = this.#parts;
    const { childrenMax } = bounds;
    const earlier = await this.#earlier();
    const known = earlier.get(name);
    if (known !== undefined) {
      this.#spawned.set(name, known);
      return known;
    }
    const count = new Set([...earlier.keys(), ...this.#spawned.keys()]).size;
    if (count > childrenMax) {
      this.#spawned.delete(name);
      bounds.limitHit?.('childrenMax');
      throw new ToolError(`spawn: a task may have ${childrenMax} children (childrenMax)`);
    }
    const { taskId, abandoned } = mine;
    const payload: ChildSpawned = { taskId, name, tool, ...(abandoned && { abandoned }) };
    await log.append([{ type: SystemEvent.childSpawned, payload }], () => true);
    return mine;
  }

  async #ended(name: string, record: ChildRecord, outcome: TaskOutcome): Promise<void> {
    if (record.ended) return;
    record.ended = true;
    const { status, statusMessage, result } = outcome;
    const payload: ChildEnded = {
      taskId: record.taskId,
      name,
      status,
      ...(statusMessage !== undefined && { statusMessage }),
      ...(result?.isError === true && { isError: true }),
    };
    await this.#parts.log.append([{ type: SystemEvent.childEnded, payload }], () => true);
  }

  #earlier(): Promise<Map<string, ChildRecord>> {
    const { ports, log, spec, earlierSeq, signal } = this.#parts;
    this.#records ??=
      log.attempt === 1 || ports === undefined
        ? Promise.resolve(new Map())
        : readChildren(ports.events, spec.taskId, earlierSeq, signal);
    return this.#records;
  }

  /** The slot is lent once, however many children are waited for. */
  #lend(): () => void {
    if (this.#waits++ === 0) this.#giveBack = this.#parts.lend();
    let over = false;
    return () => {
      if (over) return;
      over = true;
      if (--this.#waits === 0) this.#giveBack();
    };
  }
}
