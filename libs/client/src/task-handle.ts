/**
 * The handle of a called tool: the same surface for tools that run as a task and for tools that answer at once.
 *
 * Invariants: one poller a handle, however many wait, and none when nobody does; questions are asked only while
 * somebody waits for the task or iterates its events.
 */
import type { SystemEvent } from '@taskstream/protocol';
import type {
  DetailedTask,
  EventSchemas,
  Follow,
  FollowItem,
  FollowOptions,
  InputResponse,
  NoSchemas,
  OnInputRequest,
  RequestOptions,
  TaskClient,
  TaskHandle,
  TaskOutcome,
  ToolResult,
} from './api.js';
import { invalidArgument } from './arguments.js';
import type { Channel } from './channel.js';
import { isClientError } from './errors.js';
import { FollowRun } from './follow-run.js';
import { InputRouter } from './input-router.js';
import { waitFor } from './wait-for.js';
import { WatchedFollow } from './watched-follow.js';
import { resultOf } from './outcome.js';
import type { JsonObject } from './shape.js';

/** Our servers' status event: a hint to ask at once. As a literal, so that no schema is bundled. */
const STATUS_EVENT: typeof SystemEvent.taskStatus = 'dev.taskstream.task.status';

type Requests = Omit<TaskClient, 'listTools' | 'callTool' | 'task' | 'followTask'>;

export class RunningTask implements TaskHandle {
  readonly taskId: string;
  readonly immediate = undefined;
  readonly #transport: Channel;
  readonly #requests: Requests;
  readonly #onInputRequest: OnInputRequest | undefined;
  #outcome: TaskOutcome | undefined;
  /** Streams that are iterated. */
  readonly #streams = new Set<FollowRun>();
  #users = 0;
  #poller: { readonly run: FollowRun; readonly done: Promise<TaskOutcome> } | undefined;
  #router: InputRouter | undefined;

  constructor(transport: Channel, requests: Requests, taskId: string, onInputRequest: OnInputRequest | undefined) {
    this.#transport = transport;
    this.#requests = requests;
    this.taskId = taskId;
    this.#onInputRequest = onInputRequest;
  }

  events<E extends EventSchemas = NoSchemas>(options: FollowOptions<E> = {}): Follow<E> {
    const asks = this.#onInputRequest !== undefined;
    const run = new FollowRun(this.#transport, this.taskId, options, 'stream', { elicitation: asks });
    run.outcome.then(
      (outcome) => {
        this.#outcome = outcome;
        this.#poller?.run.hurry();
      },
      // The iteration throws it.
      () => undefined,
    );
    return new WatchedFollow(run, {
      onBegin: () => {
        this.#streams.add(run);
        if (asks) void this.#join();
      },
      onEvent: (event) => {
        const asked = event.type === STATUS_EVENT && event.payload['status'] === 'input_required';
        if (asked) this.#poller?.run.hurry();
      },
      onEnd: () => {
        if (this.#streams.delete(run) && asks) this.#leave();
      },
    });
  }

  async outcome(options: RequestOptions = {}): Promise<TaskOutcome> {
    if (this.#outcome !== undefined) return this.#outcome;
    const done = this.#join();
    try {
      this.#outcome = await waitFor(done, options.signal, 'Waiting for the task was aborted');
      return this.#outcome;
    } finally {
      this.#leave();
    }
  }

  async result(options: RequestOptions = {}): Promise<ToolResult> {
    return resultOf(await this.outcome(options));
  }

  status(options?: RequestOptions): Promise<DetailedTask> {
    return this.#requests.getTask(this.taskId, options);
  }

  async cancel(options?: RequestOptions): Promise<void> {
    await this.#requests.cancelTask(this.taskId, options);
    this.#poller?.run.hurry();
  }

  async delete(options?: RequestOptions): Promise<void> {
    await this.#requests.deleteTask(this.taskId, options);
    this.#poller?.run.hurry();
  }

  steer(message: string, data?: JsonObject, options?: RequestOptions): Promise<void> {
    return this.#requests.steerTask(this.taskId, message, data, options);
  }

  pause(options?: RequestOptions): Promise<void> {
    return this.#requests.pauseTask(this.taskId, options);
  }

  resume(options?: RequestOptions): Promise<void> {
    return this.#requests.resumeTask(this.taskId, options);
  }

  async answer(inputResponses: Readonly<Record<string, InputResponse>>, options?: RequestOptions): Promise<void> {
    await this.#requests.updateTask(this.taskId, inputResponses, options);
    this.#poller?.run.hurry();
  }

  /** Makes sure that the task is polled. */
  #join(): Promise<TaskOutcome> {
    this.#users += 1;
    this.#poller ??= this.#poll();
    return this.#poller.done;
  }

  #leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    const poller = this.#poller;
    this.#poller = undefined;
    this.#router?.close();
    this.#router = undefined;
    // It can no longer fail: nothing is saved, and it is told to stop.
    void poller?.run.return();
  }

  #poll(): { run: FollowRun; done: Promise<TaskOutcome> } {
    const ask = this.#onInputRequest;
    let failed: (error: unknown) => void = () => undefined;
    const router =
      ask === undefined
        ? undefined
        : new InputRouter(
            this.taskId,
            ask,
            (key, response, signal) => this.#requests.updateTask(this.taskId, { [key]: response }, { signal }),
            (error) => failed(error),
          );
    this.#router = router;
    const options: FollowOptions = router === undefined ? {} : { onTask: (task) => router.route(task) };
    const asks = ask !== undefined;
    const run = new FollowRun(this.#transport, this.taskId, options, 'poll', { elicitation: asks, questions: asks });
    failed = (error) => run.fail(error);
    const done = drained(run);
    done.catch((error: unknown) => {
      // Without the poller no question is asked any more: a stream that waits for an answer would wait for ever.
      if (asks && !isClientError(error, 'aborted')) for (const stream of this.#streams) stream.fail(error);
    });
    return { run, done };
  }
}

async function drained(run: FollowRun): Promise<TaskOutcome> {
  let item = await run.next();
  while (item.done !== true) item = await run.next();
  return run.outcome;
}

/** A tool that answered at once. */
export class AnsweredCall implements TaskHandle {
  readonly taskId = undefined;
  readonly immediate: ToolResult;

  constructor(result: ToolResult) {
    this.immediate = result;
  }

  events<E extends EventSchemas = NoSchemas>(): Follow<E> {
    return emptyFollow(this.immediate);
  }

  outcome(): Promise<TaskOutcome> {
    return Promise.resolve(answeredOutcome(this.immediate));
  }

  result(): Promise<ToolResult> {
    return Promise.resolve(this.immediate);
  }

  status(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }

  delete(): Promise<void> {
    return Promise.resolve();
  }

  steer(): Promise<void> {
    return tooLate();
  }

  pause(): Promise<void> {
    return tooLate();
  }

  resume(): Promise<void> {
    return tooLate();
  }

  answer(): Promise<void> {
    return tooLate();
  }
}

function tooLate(): Promise<never> {
  const message = 'The tool has answered: nothing runs that could take this';
  return Promise.reject(invalidArgument(message));
}

function answeredOutcome(result: ToolResult): TaskOutcome {
  return { status: 'completed', result };
}

function emptyFollow<E extends EventSchemas>(result: ToolResult): Follow<E> {
  const end = { done: true, value: undefined } as const;
  return {
    taskId: '',
    lastSeq: undefined,
    outcome: Promise.resolve(answeredOutcome(result)),
    next: (): Promise<IteratorResult<FollowItem<E>, undefined>> => Promise.resolve(end),
    return: () => Promise.resolve(end),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
