/**
 * Steps of a running attempt: runs a function until it succeeds, records its result, and hands out recorded results
 * instead of running again.
 *
 * Invariants: a result is recorded only when every event that was emitted before is durable, and handed to the tool
 * only when it is recorded; what the tool gets is the recorded JSON, in the first attempt as in all later ones; an
 * attempt says `completed` of a step only when its own result was recorded; an attempt that has ended records nothing.
 */
import {
  backoffMs,
  decideStep,
  isTaskstreamError,
  StateName,
  type AttemptLog,
  type AttemptState,
  type EventDraft,
  type LimitHit,
  type RecordedStep,
} from '@taskstream/core';
import { describeIssues, SystemEvent } from '@taskstream/protocol';
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { StepFunction, StepOptions } from './define-tool.js';
import { afterMs } from './long-timer.js';
import { messageOf, StateMisuse, StepTimeout, ToolError, ToolProtocolError } from './tool-errors.js';
import type { StepFact } from './worker-options.js';

/** A longer message of a failed call is cut, in characters. */
const MESSAGE_LENGTH_MAX = 1_000;
/** Recalls that come close together are told in one event. */
const RECALL_LINGER_MS = 50;
const RECALLS_PER_EVENT_MAX = 200;

export interface StepBounds {
  readonly stepsMax: number;
  readonly stepResultBytesMax: number;
  readonly limitHit?: LimitHit | undefined;
}

const Options = z.looseObject({
  retry: z
    .object({
      triesMax: z.int().positive().default(3),
      backoffMsBase: z.int().nonnegative().default(500),
      backoffMsMax: z.int().nonnegative().default(30_000),
    })
    .prefault({}),
  timeoutMs: z.int().positive().optional(),
  version: z.string().min(1).max(100).optional(),
});

export class StepDesk {
  readonly #where: () => string;
  readonly #taskId: string;
  readonly #log: AttemptLog;
  readonly #state: AttemptState;
  readonly #signal: AbortSignal;
  readonly #bounds: StepBounds;
  readonly #tell: (event: EventDraft) => void;
  readonly #observe: (fact: StepFact) => void;
  readonly #names = new Set<string>();
  #recalled: string[] = [];
  #stopLinger: (() => void) | undefined;
  #running = 0;
  #closed = false;
  #onIdle: () => void = () => undefined;

  /**
   * `where` says which attempt of which task it is, for messages; `tell` appends an event of our own; `observe` is told
   * of every try.
   */
  constructor(
    where: () => string,
    taskId: string,
    log: AttemptLog,
    state: AttemptState,
    signal: AbortSignal,
    bounds: StepBounds,
    tell: (event: EventDraft) => void,
    observe: (fact: StepFact) => void = () => undefined,
  ) {
    this.#where = where;
    this.#taskId = taskId;
    this.#log = log;
    this.#state = state;
    this.#signal = signal;
    this.#bounds = bounds;
    this.#tell = tell;
    this.#observe = observe;
  }

  /** Whether no step is between its call and its record. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /** Calls `listener` each time that the last running step is done. */
  set onIdle(listener: () => void) {
    this.#onIdle = listener;
  }

  /**
   * @throws StateMisuse when the name is invalid, used twice in this attempt or recorded for another version, or when
   *   there are too many; what `fn` threw last; what the log or the state refuse
   */
  async run<T>(name: string, fn: StepFunction<T>, options: StepOptions<T> = {}): Promise<T> {
    const parsed = Options.safeParse(options);
    if (!parsed.success) throw this.#misuse(name, describeIssues(parsed.error, options, 'options'));
    this.#claim(name);
    if (this.#signal.aborted) throw this.#signal.reason;
    this.#running++;
    try {
      const { version } = parsed.data;
      const decision = decideStep(await this.#state.step(name), version);
      if (decision.type === 'changed') throw this.#changed(decision.recorded, version);
      if (decision.type === 'recall') return this.#recall(decision.recorded, options.schema);
      return await this.#untilRecorded(name, fn, options.schema, parsed.data);
    } finally {
      this.#running--;
      if (this.#running === 0) this.#onIdle();
    }
  }

  /** Tells now what was recalled. */
  flush(): void {
    this.#stopLinger?.();
    this.#stopLinger = undefined;
    while (this.#recalled.length > 0) {
      const names = this.#recalled.splice(0, RECALLS_PER_EVENT_MAX);
      this.#tell({ type: SystemEvent.stepRecalled, payload: { names } });
    }
  }

  /** Nothing is recorded after this. */
  close(): void {
    this.flush();
    this.#closed = true;
  }

  async #untilRecorded<T>(
    name: string,
    fn: StepFunction<T>,
    schema: z.ZodType<T> | undefined,
    { retry, timeoutMs, version }: z.output<typeof Options>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      const startedAt = performance.now();
      let json: string | undefined;
      let value: T;
      try {
        json = this.#encode(name, await this.#call(name, fn, tries, timeoutMs));
        value = this.#decode(json, schema, (issues) => new Error(`${this.#step(name)}: ${issues}`));
      } catch (error) {
        const again = tries < retry.triesMax && this.#mayPass(error);
        const waitMs = again ? backoffMs(tries, retry.backoffMsBase, retry.backoffMsMax, Math.random()) : 0;
        this.#failed(name, tries, error, again ? waitMs : undefined);
        this.#observe({ name, how: 'failed', try: tries, ms: performance.now() - startedAt, error });
        if (!again) throw error;
        await this.#wait(waitMs);
        continue;
      }
      const ms = Math.round(performance.now() - startedAt);
      const { recorded, mine } = await this.#record({ name, version, attempt: this.#log.attempt, tries, ms, json });
      if (mine) {
        const bytes = json === undefined ? 0 : Buffer.byteLength(json);
        this.flush();
        this.#tell({ type: SystemEvent.stepCompleted, payload: { name, tries, ms, bytes } });
        this.#observe({ name, how: 'completed', try: tries, ms: performance.now() - startedAt });
        return value;
      }
      // An older attempt that went on without knowing was faster.
      const decision = decideStep(recorded, version);
      if (decision.type === 'changed') throw this.#changed(recorded, version);
      return this.#recall(recorded, schema);
    }
  }

  async #record(step: RecordedStep): Promise<{ recorded: RecordedStep; mine: boolean }> {
    // A step that is recorded is not run again: what it emitted must not be lost either.
    await this.#log.settled();
    if (this.#closed || this.#log.signal.aborted) throw this.#signal.reason;
    return this.#state.recordStep(step);
  }

  async #call<T>(name: string, fn: StepFunction<T>, tries: number, timeoutMs: number | undefined): Promise<T> {
    const idempotencyKey = createHash('sha256').update(`${this.#taskId}\n${name}`).digest('base64url');
    if (timeoutMs === undefined) return fn({ idempotencyKey, try: tries, signal: this.#signal });
    const timeout = new AbortController();
    let stop = () => undefined as void;
    const timedOut = new Promise<never>((_resolve, reject) => {
      stop = afterMs(timeoutMs, () => {
        const error = new StepTimeout(name, timeoutMs);
        timeout.abort(error);
        reject(error);
      });
    });
    try {
      const signal = AbortSignal.any([this.#signal, timeout.signal]);
      return await Promise.race([fn({ idempotencyKey, try: tries, signal }), timedOut]);
    } finally {
      stop();
    }
  }

  #recall<T>(recorded: RecordedStep, schema: z.ZodType<T> | undefined): T {
    const { name, attempt } = recorded;
    const value = this.#decode(recorded.json, schema, (issues) =>
      this.#misuse(
        name,
        `what attempt ${attempt} recorded breaks the schema: ${issues}; give a changed step a new name`,
      ),
    );
    this.#observe({ name, how: 'recalled', try: 0, ms: 0 });
    this.#recalled.push(recorded.name);
    this.#stopLinger ??= afterMs(RECALL_LINGER_MS, () => this.flush());
    return value;
  }

  #failed(name: string, tries: number, error: unknown, retryMs: number | undefined): void {
    if (this.#signal.aborted) return;
    const retryAt = retryMs === undefined ? {} : { retryAt: new Date(Date.now() + retryMs).toISOString() };
    const message = messageOf(error).slice(0, MESSAGE_LENGTH_MAX);
    this.flush();
    this.#tell({ type: SystemEvent.stepFailed, payload: { name, try: tries, message, ...retryAt } });
  }

  /** What an author states as final is final; so is what would fail in the same way again. */
  #mayPass(error: unknown): boolean {
    if (this.#signal.aborted) return false;
    if (error instanceof ToolError || error instanceof ToolProtocolError || error instanceof StateMisuse) return false;
    return !isTaskstreamError(error) || error.retryable;
  }

  /** @throws the signal's reason when it aborts first */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        stop();
        reject(this.#signal.reason);
      };
      const stop = afterMs(ms, () => {
        this.#signal.removeEventListener('abort', onAbort);
        resolve();
      });
      if (this.#signal.aborted) onAbort();
      else this.#signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #claim(name: string): void {
    const parsed = StateName.safeParse(name);
    if (!parsed.success) throw this.#misuse(String(name), describeIssues(parsed.error, name, 'name'));
    if (this.#names.has(name)) {
      throw this.#misuse(name, 'its name was used before in this attempt; each step needs a name of its own');
    }
    if (this.#names.size >= this.#bounds.stepsMax) {
      this.#bounds.limitHit?.('stepsMax');
      throw this.#misuse(name, `more than ${this.#bounds.stepsMax} steps (stepsMax); use checkpoints for loops`);
    }
    this.#names.add(name);
  }

  #encode(name: string, value: unknown): string | undefined {
    let json: string | undefined;
    try {
      json = JSON.stringify(value);
    } catch (error) {
      throw this.#misuse(name, `its result cannot be encoded as JSON: ${messageOf(error)}`);
    }
    if (json === undefined && value !== undefined) {
      throw this.#misuse(name, `its result cannot be encoded as JSON: it is a ${typeof value}`);
    }
    const bytes = json === undefined ? 0 : Buffer.byteLength(json);
    if (bytes > this.#bounds.stepResultBytesMax) {
      const { stepResultBytesMax, limitHit } = this.#bounds;
      limitHit?.('stepResultBytesMax');
      throw this.#misuse(name, `its result has ${bytes} bytes, at most ${stepResultBytesMax} (stepResultBytesMax)`);
    }
    return json;
  }

  #decode<T>(json: string | undefined, schema: z.ZodType<T> | undefined, refused: (issues: string) => Error): T {
    const value: unknown = json === undefined ? undefined : JSON.parse(json);
    if (schema === undefined) return value as T;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw refused(describeIssues(parsed.error, value, 'result'));
  }

  #changed({ name: step, version, attempt }: RecordedStep, now: string | undefined): StateMisuse {
    const say = (text: string | undefined) => (text === undefined ? 'without a version' : `as version ${text}`);
    return this.#misuse(
      step,
      `attempt ${attempt} recorded it ${say(version)}, the tool has it ${say(now)}; give a changed step a new name`,
    );
  }

  #misuse(name: string, what: string): StateMisuse {
    return new StateMisuse(`${this.#step(name)}: ${what}`);
  }

  #step(name: string): string {
    return `Step ${JSON.stringify(name)} of ${this.#where()}`;
  }
}
