/**
 * How an author describes a tool, and what its function is handed.
 *
 * Invariants: the definition is checked when it is made, not when it is first called; what goes to the catalogue is
 * derived from it and holds no code.
 */
import {
  InputRequestShape,
  PRIORITY_MAX,
  QueueName,
  TaskSupport,
  TOOL_DEFINITION_VERSION,
  ToolName,
  type ToolDefinition,
} from '@taskstream/core';
import { describeIssues, type EventIdentity } from '@taskstream/protocol';
import * as z from 'zod';
import { declareEvents, type DeclaredEvents, type EventDeclarations, type PayloadOf } from './declared-events.js';
import type { AskOptions, InputRequest } from './input-desk.js';
import type { ChildTask } from './child-task.js';
import type { SpawnOptions } from './children.js';
import type { TaskMailbox } from './task-mailbox.js';
import type { ToolResult } from './tool-result.js';
import { RetryableError } from './tool-errors.js';

/** What a user did with a form. */
export type ElicitAnswer<Content> =
  | { readonly action: 'accept'; readonly content: Content }
  | { readonly action: 'decline' | 'cancel'; readonly content?: undefined };

/** What the function of a step is called with. */
export interface StepCall {
  /** The same in every try and attempt, and of no other step: for systems that recognise a repeated request. */
  readonly idempotencyKey: string;
  /** Which call of the function this is in this attempt, from 1. */
  readonly try: number;
  /** The task's signal, which also aborts when the call takes longer than the step's `timeoutMs`. */
  readonly signal: AbortSignal;
}

export type StepFunction<T> = (step: StepCall) => Promise<T> | T;

export interface StepOptions<T> {
  /** Parses the recorded JSON, each time that it is handed out. */
  readonly schema?: z.ZodType<T>;
  readonly retry?: {
    /** Calls in one attempt. 3 when absent. */
    readonly triesMax?: number;
    /** 500 when absent. Doubles with each try; jitter takes up to half away. */
    readonly backoffMsBase?: number;
    /** 30,000 when absent. */
    readonly backoffMsMax?: number;
  };
  /** The longest time of one call. Without a limit when absent. */
  readonly timeoutMs?: number;
  /** A recorded result of another version is refused instead of handed out. 1 to 100 characters. */
  readonly version?: string;
}

/** Parameters of `sampling/createMessage`, as MCP defines them; passed on as they are. */
export interface SampleParams {
  readonly messages: ReadonlyArray<{ readonly role: 'user' | 'assistant'; readonly content: unknown }>;
  readonly maxTokens: number;
  readonly systemPrompt?: string;
  readonly temperature?: number;
  readonly [more: string]: unknown;
}

/** What the client's model said: a `CreateMessageResult` of MCP. */
export interface SampleResult {
  readonly role: 'user' | 'assistant';
  readonly content: unknown;
  readonly model: string;
  readonly stopReason?: string | undefined;
  readonly [more: string]: unknown;
}

/** The running attempt, as a tool sees it. `Events` are the event types that the tool declares. */
export interface Task<Events extends EventDeclarations = EventDeclarations> {
  readonly id: string;
  /** 1 for the first try. Rises with every try: a fencing token for effects outside. */
  readonly attempt: number;
  /** Aborts when the task is cancelled, times out, is handed over, or this attempt has been fenced. */
  readonly signal: AbortSignal;
  /** The client's responses to the tool's `inputFirst` questions, by name, as they came. */
  readonly given: Readonly<Record<string, unknown>>;
  /**
   * Appends an event. Resolves when it is durable; events that are not awaited are durable before the task ends.
   * The type needs a vendor prefix (`com.example.step`), the payload is a JSON object. The payload of a declared type is
   * checked against its schema, and what the schema makes of it is stored.
   * An emit that is awaited waits while the queue of events that are not yet durable is full (`emitQueueBytesMax`); one
   * that is not awaited is refused then.
   * @throws TaskstreamError invalid_event, payload_too_large, emit_overflow, task_ended, fenced
   */
  emit<Type extends string>(type: Type, payload: PayloadOf<Events, Type>, identity?: EventIdentity): Promise<void>;
  /** Sets the message that `tasks/get` shows beside the status. */
  status(message: string): Promise<void>;
  /**
   * Asks the user to fill in a form. The task is `input_required` until the answer comes; the same question in a later
   * attempt gets the same answer. Several may be open at once. An answer that breaks the schema is asked for again, with
   * the reason, twice at most. With `suspend` the attempt ends here and the tool begins anew when the answer is there.
   * @throws ToolError when the client did not declare elicitation, or its last answer breaks the schema;
   *   AttemptSuspended when the attempt ends to wait
   */
  elicit<Shape extends z.ZodObject>(
    name: string,
    message: string,
    schema: Shape,
    options?: AskOptions,
  ): Promise<ElicitAnswer<z.output<Shape>>>;
  /**
   * Sends any input request that MCP knows (`sampling/createMessage`, `roots/list`, `elicitation/create`) to the client
   * and resolves with its response as it came.
   * @throws ToolError when the client did not declare the capability; AttemptSuspended
   */
  ask(name: string, request: InputRequest, options?: AskOptions): Promise<unknown>;
  /**
   * Asks the client's model for a message (`sampling/createMessage`). The same question in a later attempt gets the same
   * answer.
   * @throws ToolError when the client did not declare sampling, refuses, or its response is no message;
   *   AttemptSuspended
   */
  sample(name: string, params: SampleParams, options?: AskOptions): Promise<SampleResult>;
  /**
   * Runs `fn` and records its result: a later attempt gets the recorded result without a call. The name is the step's
   * identity, unique within an attempt; order does not matter. The result is what JSON keeps of it, at most
   * `stepResultBytesMax` bytes. What `fn` throws is tried again by `retry`, except a `ToolError` or `ToolProtocolError`,
   * and what it threw last is rethrown. A crash between the call and the record repeats the call: effects outside need
   * the `idempotencyKey`.
   * @throws StateMisuse when the name was used before in this attempt, is not 1 to 100 characters, or is recorded for
   *   another `version`, and when the result or the number of steps is over its limit
   */
  step<T>(name: string, fn: StepFunction<T>, options?: StepOptions<T>): Promise<T>;
  /**
   * Saves a JSON value for later attempts; the last one counts. Resolves when this value or a later one is durable, and
   * with it everything that was emitted before. Several names may be used: `default` when absent.
   * @throws StateMisuse when the value is no JSON or larger than `checkpointBytesMax`; TaskstreamError fenced
   */
  checkpoint(value: unknown, name?: string): Promise<void>;
  /**
   * The value that was saved last under this name, by this attempt or an earlier one; undefined when none was.
   * @throws StateMisuse when it breaks the schema
   */
  restore<T>(schema: z.ZodType<T>, name?: string): Promise<T | undefined>;
  /** Says that the tool is alive, without an event: for `idleTimeoutMs`. */
  heartbeat(): void;
  /** Reports progress: `done` of `total`. */
  progress(done: number, total?: number, message?: string): Promise<void>;
  /** What clients steer in, and whether they paused the task. */
  readonly mailbox: TaskMailbox;
  /**
   * Spawns a task of its own, with the same owner; the same child again in a later attempt. It is cancelled when this
   * task ends, unless `abandon` says otherwise.
   * @throws ToolError when there is no such tool, a name is used twice, or `childrenMax` or `childDepthMax` is reached;
   *   TaskstreamError log_unavailable, stream_full
   */
  spawn(tool: string, input: Readonly<Record<string, unknown>>, options?: SpawnOptions): Promise<ChildTask>;
}

export interface ToolOptions<
  Input extends z.ZodObject,
  Output extends z.ZodObject,
  Events extends EventDeclarations = EventDeclarations,
> {
  /** 1 to 64 characters of A-Z a-z 0-9 _ . - */
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: Input;
  /** When given, `structuredContent` of every result is checked against it. */
  readonly outputSchema?: Output;
  /**
   * Event types that the tool emits, by type: the schema of the payload, or `{ schema, coalesce }`. With `coalesce`,
   * events of one type and identity that are still queued become one: `text` puts their `text` together, `latest` keeps
   * the last payload. The event then says in its `_meta` for how many it stands (`standsFor`).
   */
  readonly events?: Events;
  /** `optional` when absent. */
  readonly taskSupport?: TaskSupport;
  /**
   * Questions that a client answers before the task is made; `task.given` holds the answers. A client that cannot be
   * asked then is asked by the running task.
   */
  readonly inputFirst?: Readonly<Record<string, InputRequest>>;
  /** Whether clients may steer running tasks; `task.mailbox` gives what they say. No when absent. */
  readonly steerable?: boolean;
  /**
   * Whether clients may pause tasks. The tool pauses where it awaits `task.mailbox.whenResumed()`, and is not called
   * while its task is paused. No when absent.
   */
  readonly pausable?: boolean;
  /** `default` when absent. */
  readonly queue?: string;
  /** 0 (served first) to 8, of calls that name none. 5 when absent. */
  readonly priority?: number;
  /** How long after its creation a task may start, of calls that say nothing. 0 when absent. */
  readonly delayMs?: number;
  /** Tasks of this tool that run at a time, over all workers. Without a limit when absent. */
  readonly runningMax?: number;
  /** How long the task and its events live, from creation. One day when absent; null: as long as the store. */
  readonly ttlMs?: number | null;
  /** What clients are told to wait between polls. One second when absent. */
  readonly pollIntervalMs?: number;
  /** The longest time of one attempt. Without a limit when absent. */
  readonly timeoutMs?: number;
  /** The longest time from creation to the end, over all attempts. Without a limit but `ttlMs` when absent. */
  readonly taskTimeoutMs?: number;
  /**
   * An attempt that says nothing for so long (no event, no progress, no `heartbeat`) ends as timed out. Waiting for an
   * answer does not count. Without a limit when absent.
   */
  readonly idleTimeoutMs?: number;
  readonly retry?: {
    /** Tries that may fail before the task fails. 3 when absent. */
    readonly attemptsMax?: number;
    readonly backoffMsBase?: number;
    readonly backoffMsMax?: number;
    /**
     * What is worth another attempt, of all that `run` throws: classes of errors, or a predicate. `RetryableError` when
     * absent. Timeouts always are; arguments and results that break their schema never.
     */
    readonly on?: RetryOn;
  };
  run(input: z.output<Input>, task: Task<Events>): Promise<ToolResult | string> | ToolResult | string;
}

/** Which errors are worth another attempt. */
export type RetryOn = ReadonlyArray<abstract new (...args: never[]) => Error> | ((error: unknown) => boolean);

/** A tool that a worker can run. Made by `defineTool`. */
export interface Tool {
  readonly definition: ToolDefinition;
  readonly events: DeclaredEvents;
  readonly inputFirst: Readonly<Record<string, InputRequest>> | undefined;
  readonly timeoutMs: number | undefined;
  readonly taskTimeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly runningMax: number | undefined;
  readonly backoffMsBase: number;
  readonly backoffMsMax: number;
  readonly isRetryable: (error: unknown) => boolean;
  /** Parses the arguments and runs. @throws ToolError when the arguments or the result break their schema */
  invoke(args: unknown, task: Task): Promise<ToolResult>;
}

const Options = z.looseObject({
  name: ToolName,
  description: z.string().min(1),
  taskSupport: TaskSupport.default('optional'),
  inputFirst: z.record(z.string(), InputRequestShape).optional(),
  steerable: z.boolean().default(false),
  pausable: z.boolean().default(false),
  queue: QueueName.default('default'),
  ttlMs: z.int().positive().nullable().default(86_400_000),
  pollIntervalMs: z.int().positive().default(1_000),
  timeoutMs: z.int().positive().optional(),
  taskTimeoutMs: z.int().positive().optional(),
  idleTimeoutMs: z.int().positive().optional(),
  priority: z.int().min(0).max(PRIORITY_MAX).optional(),
  delayMs: z.int().nonnegative().optional(),
  runningMax: z.int().positive().optional(),
  retry: z
    .object({
      attemptsMax: z.int().positive().default(3),
      backoffMsBase: z.int().nonnegative().default(1_000),
      backoffMsMax: z.int().nonnegative().default(60_000),
      on: z.custom<RetryOn>(isRetryOn, { error: 'expected an array of error classes or a function' }).optional(),
    })
    .prefault({}),
});

/**
 * Declares a tool.
 * @throws TypeError naming the field when the declaration is not valid
 */
export function defineTool<
  Input extends z.ZodObject,
  Output extends z.ZodObject,
  const Events extends EventDeclarations = EventDeclarations,
>(options: ToolOptions<Input, Output, Events>): Tool {
  const parsed = Options.safeParse(options);
  if (!parsed.success) {
    throw new TypeError(`defineTool(${String(options.name)}): ${describeIssues(parsed.error, options)}`);
  }
  const o = parsed.data;
  const definition: ToolDefinition = {
    v: TOOL_DEFINITION_VERSION,
    name: o.name,
    ...(options.title !== undefined && { title: options.title }),
    description: o.description,
    inputSchema: toJsonSchema(options.inputSchema, 'input'),
    ...(options.outputSchema !== undefined && { outputSchema: toJsonSchema(options.outputSchema, 'output') }),
    taskSupport: o.taskSupport,
    ...(options.inputFirst !== undefined && { inputFirst: { ...options.inputFirst } }),
    ...(o.steerable && { steerable: true }),
    ...(o.pausable && { pausable: true }),
    queue: o.queue,
    ttlMs: o.ttlMs,
    pollIntervalMs: o.pollIntervalMs,
    attemptsMax: o.retry.attemptsMax,
    ...(o.priority !== undefined && { priority: o.priority }),
    ...(o.delayMs !== undefined && { delayMs: o.delayMs }),
    ...(o.taskTimeoutMs !== undefined && { taskTimeoutMs: o.taskTimeoutMs }),
  };
  return {
    definition,
    events: declareEvents(o.name, options.events),
    inputFirst: options.inputFirst,
    timeoutMs: o.timeoutMs,
    taskTimeoutMs: o.taskTimeoutMs,
    idleTimeoutMs: o.idleTimeoutMs,
    runningMax: o.runningMax,
    backoffMsBase: o.retry.backoffMsBase,
    backoffMsMax: o.retry.backoffMsMax,
    isRetryable: retryPredicate(o.retry.on),
    invoke: async (args, task) => {
      const input = options.inputSchema.safeParse(args);
      if (!input.success) throw new InvalidArguments(o.name, describeIssues(input.error, args, 'arguments'));
      const result = await options.run(input.data, task);
      return checkResult(o.name, result, options.outputSchema);
    },
  };
}

function isRetryOn(value: unknown): boolean {
  return typeof value === 'function' || (Array.isArray(value) && value.every((one) => typeof one === 'function'));
}

function retryPredicate(on: RetryOn | undefined): (error: unknown) => boolean {
  if (on === undefined) return (error) => error instanceof RetryableError;
  if (typeof on === 'function') return on;
  return (error) => error instanceof RetryableError || on.some((kind) => error instanceof kind);
}

/** The arguments broke the tool's input schema. Never retried. */
export class InvalidArguments extends Error {
  constructor(tool: string, issues: string) {
    super(`Invalid arguments for ${tool}: ${issues}`);
    this.name = 'InvalidArguments';
  }
}

/** What the tool returned is not a result, or breaks its output schema. A fault of the tool; never retried. */
export class InvalidResult extends Error {
  constructor(tool: string, issues: string) {
    super(`The tool ${tool} returned an invalid result: ${issues}`);
    this.name = 'InvalidResult';
  }
}

const ResultShape = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
});

function checkResult(tool: string, result: unknown, outputSchema: z.ZodObject | undefined): ToolResult {
  const value = typeof result === 'string' ? { content: [{ type: 'text', text: result }] } : result;
  const parsed = ResultShape.safeParse(value);
  if (!parsed.success) throw new InvalidResult(tool, describeIssues(parsed.error, value, 'result'));
  if (outputSchema !== undefined && parsed.data.isError !== true) {
    const structured = outputSchema.safeParse(parsed.data.structuredContent);
    if (!structured.success) {
      throw new InvalidResult(
        tool,
        describeIssues(structured.error, parsed.data.structuredContent, 'structuredContent'),
      );
    }
  }
  return parsed.data as ToolResult;
}

function toJsonSchema(schema: z.ZodObject, io: 'input' | 'output'): ToolDefinition['inputSchema'] {
  const json = z.toJSONSchema(schema, { io });
  return { ...json, type: 'object' };
}
