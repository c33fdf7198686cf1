/**
 * The `Task` that a tool is handed, on top of the log of its attempt.
 *
 * Invariants: a tool cannot emit under our own prefix; an emit that fails unseen fails the task; after the attempt has
 * ended every emit is refused and reported.
 */
import {
  attemptName,
  TaskstreamError,
  type AttemptLog,
  type AttemptState,
  type EventDraft,
  type Taken,
  type TaskSpec,
} from '@taskstream/core';
import { describeIssues, SYSTEM_EVENT_PREFIX, SystemEvent, type EventIdentity } from '@taskstream/protocol';
import * as z from 'zod';
import type { Liveliness } from './attempt-clock.js';
import { CheckpointDesk, type CheckpointBounds } from './checkpoint-desk.js';
import { draftOf, type DeclaredEvents } from './declared-events.js';
import type { ElicitAnswer, SampleParams, SampleResult, StepFunction, StepOptions, Task } from './define-tool.js';
import type { AskOptions, InputDesk, InputRequest } from './input-desk.js';
import { afterMs } from './long-timer.js';
import { ObservedPromises } from './observed-promise.js';
import type { ChildTask } from './child-task.js';
import type { Children, SpawnOptions } from './children.js';
import { StepDesk, type StepBounds } from './step-desk.js';
import { RunningMailbox } from './task-mailbox.js';
import { ToolError } from './tool-errors.js';
import type { StepFact } from './worker-options.js';

/** How often one form is asked for, until its answer is valid. */
const ELICIT_TRIES_MAX = 3;

const ElicitResponse = z.looseObject({
  action: z.enum(['accept', 'decline', 'cancel']),
  content: z.record(z.string(), z.unknown()).optional(),
});

const SampleResponse = z.looseObject({
  role: z.enum(['user', 'assistant']),
  content: z.unknown(),
  model: z.string(),
  stopReason: z.string().optional(),
});

export interface RunningTaskParts {
  readonly spec: Pick<TaskSpec, 'taskId' | 'tool' | 'given'>;
  /** The event types that the tool declares. */
  readonly events: DeclaredEvents;
  readonly steerable: boolean;
  /** How far the mailbox was in the log when the attempt began. */
  readonly taken: Taken;
  readonly log: AttemptLog;
  readonly state: AttemptState;
  readonly desk: InputDesk;
  /** Absent where tasks cannot be spawned. */
  readonly children?: Children;
  readonly signal: AbortSignal;
  readonly bounds: StepBounds & CheckpointBounds & { readonly suspendLingerMs: number };
  /** Called when the tool waits for nothing but an answer without which it wants to hold no slot. */
  readonly onSuspend: () => void;
  /** Told of every try of a step. */
  readonly onStep?: (fact: StepFact) => void;
}

export class RunningTask implements Task {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  given: Readonly<Record<string, unknown>>;
  readonly #log: AttemptLog;
  readonly #desk: InputDesk;
  #beats = 0;
  readonly mailbox: RunningMailbox;
  readonly #events: DeclaredEvents;
  readonly #steps: StepDesk;
  readonly #checkpoints: CheckpointDesk;
  readonly #emits = new ObservedPromises();
  readonly #children: Children | undefined;
  readonly #where: () => string;
  readonly #onSuspend: () => void;
  readonly #suspendLingerMs: number;
  #stopLinger: (() => void) | undefined;
  #onLateEmit: ((type: string) => void) | undefined;

  constructor(parts: RunningTaskParts) {
    const { spec, events, steerable, taken, log, state, desk, children, signal, bounds, onSuspend } = parts;
    this.id = spec.taskId;
    this.given = spec.given ?? {};
    this.attempt = log.attempt;
    this.signal = signal;
    this.#log = log;
    this.#desk = desk;
    this.#events = events;
    this.#children = children;
    this.#where = () => attemptName(spec.tool, spec.taskId, log.attempt);
    const tell = (event: EventDraft) => void this.#watch(log.append([event], () => true));
    this.#steps = new StepDesk(this.#where, spec.taskId, log, state, signal, bounds, tell, parts.onStep);
    this.#checkpoints = new CheckpointDesk(this.#where, log, state, bounds, tell);
    this.#onSuspend = onSuspend;
    this.#suspendLingerMs = bounds.suspendLingerMs;
    desk.onStated = () => this.#active();
    this.#steps.onIdle = () => this.#active();
    this.mailbox = new RunningMailbox({
      tool: spec.tool,
      steerable,
      taken,
      signal,
      tell: (event, now) => void this.#watch(log.appendTaken(event, now)),
    });
  }

  /** Refuses every emit from now on, and tells of it. */
  close(onLateEmit: (type: string) => void): void {
    this.#onLateEmit = onLateEmit;
  }

  /** The first failure of an emit that nobody has looked at. */
  get unseenFailure(): { readonly error: unknown } | undefined {
    return this.#emits.firstUnseen;
  }

  emit(type: string, payload: Readonly<Record<string, unknown>>, identity?: EventIdentity): Promise<void> {
    if (typeof type === 'string' && type.startsWith(SYSTEM_EVENT_PREFIX)) {
      const error = new TaskstreamError(
        'invalid_event',
        `${this.#where()}: type: ${type} is under the prefix of taskstream itself`,
      );
      return this.#watch(Promise.reject(error));
    }
    if (this.#onLateEmit !== undefined) {
      this.#onLateEmit(String(type));
      const message = `${this.#where()} has ended; ${String(type)} is not in the log`;
      return this.#watch(Promise.reject(new TaskstreamError('task_ended', message)));
    }
    this.#steps.flush();
    this.#active();
    const declared = this.#events.get(type);
    if (declared === undefined) {
      return this.#emits.start((seen) => this.#log.append([{ type, payload, identity }], seen));
    }
    return this.#emits.start((seen) => {
      try {
        return this.#log.append([draftOf(type, declared, payload, identity, this.#where)], seen);
      } catch (error) {
        return Promise.reject(error);
      }
    });
  }

  step<T>(name: string, fn: StepFunction<T>, options?: StepOptions<T>): Promise<T> {
    const run = this.#steps.run(name, fn, options);
    this.#active();
    return this.#emits.observe(run);
  }

  checkpoint(value: unknown, name = 'default'): Promise<void> {
    this.#active();
    return this.#watch(this.#checkpoints.save(value, name));
  }

  restore<T>(schema: z.ZodType<T>, name = 'default'): Promise<T | undefined> {
    return this.#checkpoints.restore(schema, name);
  }

  /** Writes and tells what is left of steps and checkpoints. Resolves when the attempt may end. */
  async finish(): Promise<void> {
    this.#stopLinger?.();
    await this.#checkpoints.settled();
    this.#steps.close();
  }

  status(message: string): Promise<void> {
    this.#active();
    return this.#emits.start((seen) => this.#desk.say(String(message), seen));
  }

  heartbeat(): void {
    this.#beats++;
  }

  /** What an idle timeout looks at. */
  get liveliness(): Liveliness {
    return {
      activity: () => this.#log.nextSeq + this.#beats,
      waiting: () => this.#desk.waiting || this.mailbox.paused,
    };
  }

  progress(done: number, total?: number, message?: string): Promise<void> {
    this.#active();
    if (!Number.isFinite(done) || (total !== undefined && !Number.isFinite(total))) {
      const error = new TaskstreamError(
        'invalid_event',
        `${this.#where()}: progress: expected finite numbers, got ${String(done)} of ${String(total)}`,
      );
      return this.#watch(Promise.reject(error));
    }
    const payload = {
      progress: done,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    return this.#emits.start((seen) => this.#log.append([{ type: SystemEvent.progress, payload }], seen));
  }

  elicit<Shape extends z.ZodObject>(
    name: string,
    message: string,
    schema: Shape,
    options?: AskOptions,
  ): Promise<ElicitAnswer<z.output<Shape>>> {
    return this.#emits.observe(this.#elicit(name, message, schema, options));
  }

  ask(name: string, request: InputRequest, options?: AskOptions): Promise<unknown> {
    return this.#emits.observe(this.#desk.ask(name, request, options));
  }

  sample(name: string, params: SampleParams, options?: AskOptions): Promise<SampleResult> {
    return this.#emits.observe(this.#sample(name, params, options));
  }

  async spawn(tool: string, input: Readonly<Record<string, unknown>>, options?: SpawnOptions): Promise<ChildTask> {
    if (this.#children === undefined) throw new ToolError(`${this.#where()}: spawn: tasks cannot be spawned here`);
    return this.#children.spawn(tool, input, options);
  }

  /** Asks what the tool wants to know first and the client has not said yet. */
  async askFirst(questions: Readonly<Record<string, InputRequest>>): Promise<void> {
    const missing = Object.entries(questions).filter(([name]) => !(name in this.given));
    const answers = await Promise.all(
      missing.map(async ([name, request]) => [name, await this.#desk.ask(name, request)] as const),
    );
    this.given = { ...this.given, ...Object.fromEntries(answers) };
  }

  async #elicit<Shape extends z.ZodObject>(
    name: string,
    message: string,
    schema: Shape,
    options?: AskOptions,
  ): Promise<ElicitAnswer<z.output<Shape>>> {
    const { $schema: _, ...requestedSchema } = z.toJSONSchema(schema, { io: 'input' });
    const form = (text: string): InputRequest => ({
      method: 'elicitation/create',
      params: { mode: 'form', message: text, requestedSchema },
    });
    const key = this.#desk.keyOf(name, form(message));
    let response = await this.#desk.askAs(key, form(message), options);
    for (let tries = 1; ; tries++) {
      const answer = ElicitResponse.safeParse(response);
      if (!answer.success) throw new ToolError(`The answer to ${name} is not an elicitation result`);
      if (answer.data.action !== 'accept') return { action: answer.data.action };
      const content = schema.safeParse(answer.data.content);
      if (content.success) return { action: 'accept', content: content.data };
      const why = `The answer to ${name} is invalid: ${describeIssues(content.error, answer.data.content, 'content')}`;
      if (tries === ELICIT_TRIES_MAX) throw new ToolError(why);
      response = await this.#desk.askAs(`${key}-again${tries}`, form(`${message}\n\n${why}`), options);
    }
  }

  async #sample(name: string, params: SampleParams, options?: AskOptions): Promise<SampleResult> {
    const response = await this.#desk.ask(name, { method: 'sampling/createMessage', params }, options);
    const message = SampleResponse.safeParse(response);
    if (message.success) return message.data;
    throw new ToolError(`The answer to ${name} is no message: ${describeIssues(message.error, response, 'response')}`);
  }

  /**
   * The tool is doing something. When it has done nothing for a moment but wait for an answer without which it wants to
   * hold no slot, the attempt may end. A step that runs is waited for: cut short, it would have to run again.
   */
  #active(): void {
    this.#stopLinger?.();
    this.#stopLinger = undefined;
    if (!this.#desk.suspends || !this.#steps.idle || this.signal.aborted) return;
    this.#stopLinger = afterMs(this.#suspendLingerMs, () => {
      if (this.#desk.suspends && this.#steps.idle) this.#onSuspend();
    });
  }

  #watch(promise: Promise<void>): Promise<void> {
    return this.#emits.observe(promise);
  }
}
