/**
 * The public types: what an application sees. Shapes, units, errors and guarantees are documented here, once.
 */
import type { TaskEvent, TaskStatus, TerminalStatus } from '@taskstream/protocol';
import type { CursorStore } from './cursor-store.js';
import type { ClientLimits } from './limits.js';
import type { OnNotice } from './notices.js';
import type { JsonObject } from './shape.js';

/** A tool's result as `tools/call` returns it; unknown members are kept. */
export interface ToolResult {
  readonly content: readonly JsonObject[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
  readonly [member: string]: unknown;
}

/** A task as the server describes it. Tasks extension §Tasks. Times are ISO 8601, durations milliseconds. */
export interface Task {
  readonly taskId: string;
  readonly status: TaskStatus;
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** null: kept without a limit. */
  readonly ttlMs: number | null;
  readonly pollIntervalMs?: number;
}

/** The answer to `tasks/get`: the task with what its status carries. Tasks extension §Task Polling. */
export interface DetailedTask extends Task {
  /**
   * A client has paused the task; its status stays what it was. Told by servers that know `dev.taskstream/steering`;
   * through `attach` in 2025-11-25 only if the official client declares it (`capabilities.experimental`).
   */
  readonly paused?: boolean;
  /** Only when `completed`. */
  readonly result?: JsonObject;
  /** Only when `failed`: the JSON-RPC error. */
  readonly error?: RpcError;
  /** Only when `input_required`: open questions by key. */
  readonly inputRequests?: Readonly<Record<string, InputRequest>>;
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** A question from the server, for example `{method: 'elicitation/create', params: {message, requestedSchema}}`. */
export interface InputRequest {
  readonly method: string;
  readonly params: JsonObject;
}

/** The answer to a question, for example `{action: 'accept', content: {…}}`. 2026-07-28 MRTR §InputResponses. */
export type InputResponse = JsonObject;

/** How a task ended. A tool that answered at once is `completed` without a task. */
export type TaskOutcome =
  | { readonly status: 'completed'; readonly result: ToolResult; readonly task?: DetailedTask }
  | { readonly status: 'failed'; readonly error: RpcError; readonly task: DetailedTask }
  | { readonly status: 'cancelled'; readonly task: DetailedTask };

export interface Tool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly [member: string]: unknown;
}

/** Checks a payload: a Standard Schema (zod, valibot, arktype and others), or anything that has `parse`, which throws. */
export type EventSchema<T = unknown> = StandardSchema<T> | { parse(payload: unknown): T };

/** The part of Standard Schema 1 that is used. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    validate(value: unknown): StandardResult<T> | Promise<StandardResult<T>>;
  };
}

type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** Schemas by event type, for example `{ 'com.example.step': z.object({ n: z.number() }) }`. */
export type EventSchemas = Readonly<Record<string, EventSchema>>;

/** An event of a declared type, with its payload as the schema gives it. */
export type TypedEvent<E extends EventSchemas> = {
  readonly [K in keyof E & string]: {
    readonly type: K;
    readonly payload: E[K] extends EventSchema<infer T> ? T : never;
  };
}[keyof E & string];

// No event type is declared.
export type NoSchemas = {};

/** What a follow yields. */
export type FollowItem<E extends EventSchemas = NoSchemas> =
  /**
   * `typed` only for a type that a schema is declared for, and a payload that keeps it; one that breaks it is told of in
   * a `payload-invalid` notice. `raw` is the JSON text of the event's params, only with `raw: true`.
   */
  | { readonly type: 'event'; readonly event: TaskEvent; readonly typed?: TypedEvent<E>; readonly raw?: string }
  /**
   * The events `from` to `to` (both included) can no longer be had. With `restarted` the history begins anew with the
   * next event, which may have a lower seq than events that were yielded before; `to` may then lie below `from`.
   */
  | { readonly type: 'gap'; readonly from: number; readonly to: number; readonly restarted: boolean };

/**
 * What to do when the server no longer retains the events after the cursor (SEP-2694 §events_gone error):
 * `fail` ends with `events_gone`, `resume` goes on with the earliest retained one after a gap item, `restart` reads
 * everything that is retained again, after a gap item with `restarted: true`.
 */
export type EventsGonePolicy = 'fail' | 'resume' | 'restart';

export interface FollowOptions<E extends EventSchemas = NoSchemas> {
  /** Exclusive cursor: events from `after + 1` on. Default: the cursor store's, else everything that is retained. */
  readonly after?: number;
  /** Where the cursor is kept. It is saved when the next item is asked for, so that no event is lost in a crash. */
  readonly cursorStore?: Pick<CursorStore, 'load'> & Partial<CursorStore>;
  /** Schemas of payloads by event type; see `FollowItem.typed`. */
  readonly events?: E;
  /** Default: `fail`. */
  readonly onEventsGone?: EventsGonePolicy;
  /** Give `raw` with each event. Default: false. */
  readonly raw?: boolean;
  readonly signal?: AbortSignal;
  /** Told of this follow only; the client's own `onNotice` is told too. */
  readonly onNotice?: OnNotice;
  /** Told of every `tasks/get` answer that the follow asks for. */
  readonly onTask?: (task: DetailedTask) => void;
}

/**
 * One followed task. Iterate it once. Guarantees: events in order of seq, each at most once in one follow, none left
 * out without a gap item. The iteration ends when the task has ended and its last event was yielded; it throws a
 * `ClientError` otherwise. Leaving the loop, `return()` and the abort signal close the connection.
 */
export interface Follow<E extends EventSchemas = NoSchemas> extends AsyncIterableIterator<
  FollowItem<E>,
  undefined,
  undefined
> {
  /** Empty for a tool that answered at once. */
  readonly taskId: string;
  /** The seq of the last event that was yielded. */
  readonly lastSeq: number | undefined;
  /**
   * How the task ended; settles when the iteration ends, so iterate. Rejects with the `ClientError` that the
   * iteration threw, with `aborted` if it was left early, or with why the outcome cannot be had.
   */
  readonly outcome: Promise<TaskOutcome>;
  return(): Promise<IteratorReturnResult<undefined>>;
}

/**
 * Gives the headers of a request. `refresh` is true once after a 401: get a new token. Throwing ends the request with
 * `unauthorized`. It may take its time, for example to let somebody sign in: only the abort of the request ends the wait.
 */
export type AuthHook = (request: {
  readonly refresh: boolean;
  readonly endpoint: string;
}) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

/**
 * Answers a question of a task or of a tool call. Each key of a task is asked once. A throw leaves the question open
 * and is thrown to whoever waits for the task.
 */
export type OnInputRequest = (
  key: string,
  request: InputRequest,
  context: { readonly taskId: string | undefined; readonly signal: AbortSignal },
) => InputResponse | Promise<InputResponse>;

export interface ConnectionOptions {
  /** MCP endpoints of the same service, best first, for example `https://example.com/mcp`. */
  readonly endpoints: readonly (string | URL)[];
  /**
   * `auto` asks in 2026-07-28 first, and goes back to 2025-11-25 with a server that does not know it. Default: `auto`.
   * 2026-07-28 Streamable HTTP §Backward Compatibility.
   */
  readonly revision?: 'auto' | '2026-07-28' | '2025-11-25';
  readonly clientInfo?: { readonly name: string; readonly version: string };
  /** Capabilities besides the tasks extension (always) and elicitation (with `onInputRequest`). */
  readonly capabilities?: JsonObject;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: AuthHook;
  readonly limits?: Partial<ClientLimits>;
  readonly fetch?: typeof globalThis.fetch;
  readonly onNotice?: OnNotice;
}

export interface TaskClientOptions extends ConnectionOptions {
  readonly onInputRequest?: OnInputRequest;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface CallToolOptions extends RequestOptions {
  /** A repeated call with the same key gets the same task, so the client may repeat it after a network error. */
  readonly idempotencyKey?: string;
  /** Default: the client's. */
  readonly onInputRequest?: OnInputRequest;
}

/**
 * A called tool. Tools that answer at once have `immediate` and no `taskId`; everything else works the same for them:
 * `events()` yields nothing, `result()` returns what came.
 */
export interface TaskHandle {
  readonly taskId: string | undefined;
  readonly immediate: ToolResult | undefined;
  /** Follows the task's events; questions are routed to `onInputRequest` meanwhile. */
  events<E extends EventSchemas = NoSchemas>(options?: FollowOptions<E>): Follow<E>;
  /** Waits for the end. Throws `task_failed` (`details.error`) and `task_cancelled`. */
  result(options?: RequestOptions): Promise<ToolResult>;
  /** Waits for the end; does not throw for a failed or cancelled task. */
  outcome(options?: RequestOptions): Promise<TaskOutcome>;
  /** The task now; undefined for a tool that answered at once. */
  status(options?: RequestOptions): Promise<DetailedTask | undefined>;
  /** Asks the server to cancel. The task may still end otherwise. */
  cancel(options?: RequestOptions): Promise<void>;
  /** Removes the task from the server; see `TaskClient.deleteTask`. Nothing to do for a tool that answered at once. */
  delete(options?: RequestOptions): Promise<void>;
  /** Sends the running tool a message; see `TaskClient.steerTask`. */
  steer(message: string, data?: JsonObject, options?: RequestOptions): Promise<void>;
  /** Asks the tool to wait where it can; see `TaskClient.pauseTask`. */
  pause(options?: RequestOptions): Promise<void>;
  resume(options?: RequestOptions): Promise<void>;
  /** Answers open questions by key. */
  answer(inputResponses: Readonly<Record<string, InputResponse>>, options?: RequestOptions): Promise<void>;
}

export interface TaskClient {
  /** All pages. Tools with `x-mcp-header` annotations that are not valid are left out, with a notice. */
  listTools(options?: RequestOptions): Promise<readonly Tool[]>;
  /** Throws `rpc_error`, `maybe_executed`, `input_unanswered`, and the errors of the connection. */
  callTool(name: string, args?: JsonObject, options?: CallToolOptions): Promise<TaskHandle>;
  /** A handle of a task that exists already. */
  task(taskId: string, options?: Pick<CallToolOptions, 'onInputRequest'>): TaskHandle;
  followTask<E extends EventSchemas = NoSchemas>(taskId: string, options?: FollowOptions<E>): Follow<E>;
  getTask(taskId: string, options?: RequestOptions): Promise<DetailedTask>;
  cancelTask(taskId: string, options?: RequestOptions): Promise<void>;
  /**
   * Removes a task with all its events from the server, after cancelling it if it still runs. Throws `unknown_task`,
   * also when an earlier try whose answer was lost has removed it.
   */
  deleteTask(taskId: string, options?: RequestOptions): Promise<void>;
  /**
   * Sends the running tool a message (`dev.taskstream/steer`, an extension of ours): resolves once the server keeps it,
   * not once the tool has acted. Not repeated after a lost answer, which would be a second message: `maybe_executed`.
   * Throws `rpc_error` with `details.reason` `not_steerable`, `task_ended` or `limit_reached`.
   */
  steerTask(taskId: string, message: string, data?: JsonObject, options?: RequestOptions): Promise<void>;
  /**
   * Asks the tool to wait where it can, as `dev.taskstream/pause`; the task keeps its status. Pausing a paused task
   * changes nothing. Throws `rpc_error` with `details.reason` `not_pausable` or `task_ended`.
   */
  pauseTask(taskId: string, options?: RequestOptions): Promise<void>;
  /** Lets a paused task go on, as `dev.taskstream/resume`. Throws like `pauseTask`. */
  resumeTask(taskId: string, options?: RequestOptions): Promise<void>;
  updateTask(
    taskId: string,
    inputResponses: Readonly<Record<string, InputResponse>>,
    options?: RequestOptions,
  ): Promise<void>;
}

export type { TaskEvent, TaskStatus, TerminalStatus };
