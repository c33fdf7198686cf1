/**
 * The client of one service: tools, tasks, questions. In the words of 2026-07-28 with the Tasks extension.
 *
 * Invariants: a call that may have been executed is repeated only with an idempotency key; a result type that is not
 * known is refused; arguments are checked before anything is sent.
 */
import {
  DELETE_METHOD,
  IDEMPOTENCY_META_KEY,
  PAUSE_METHOD,
  RESUME_METHOD,
  STEER_METHOD,
  WireCode,
} from '@taskstream/protocol';
import type {
  CallToolOptions,
  DetailedTask,
  EventSchemas,
  Follow,
  FollowOptions,
  InputResponse,
  NoSchemas,
  OnInputRequest,
  RequestOptions,
  TaskClient,
  TaskClientOptions,
  TaskHandle,
  Tool,
} from './api.js';
import { argument, optionalArgument } from './arguments.js';
import type { Call, Channel } from './channel.js';
import { ClientError, isClientError } from './errors.js';
import { backoffMs } from './follow-classify.js';
import { FollowRun } from './follow-run.js';
import { mirroredParams, paramHeaders, type MirroredParam } from './header-values.js';
import { askApplication } from './input-router.js';
import { request } from './request.js';
import { filled, object, optional, text, type JsonObject } from './shape.js';
import { AnsweredCall, RunningTask } from './task-handle.js';
import { Transport } from './transport.js';
import { waitFor } from './wait-for.js';
import { pause } from './waiting.js';
import { parseDetailedTask, parseInputRequests, parseTask, parseToolResult, resultType } from './wire.js';
import { checked } from './wire-fault.js';
import { parseToolPage } from './wire-tools.js';

/** Creates a client. Nothing is sent before the first call; throws `invalid_argument`. */
export function createTaskClient(options: TaskClientOptions): TaskClient {
  return taskClientOver(new Transport(options), options.onInputRequest);
}

/** The client over any channel. */
export function taskClientOver(channel: Channel, onInputRequest: OnInputRequest | undefined): TaskClient {
  return new ChannelTaskClient(channel, onInputRequest);
}

class ChannelTaskClient implements TaskClient {
  readonly #transport: Channel;
  readonly #onInputRequest: OnInputRequest | undefined;
  /** Mirrored parameters of the tools that were listed last. */
  #mirrored: ReadonlyMap<string, readonly MirroredParam[]> = new Map();

  constructor(channel: Channel, onInputRequest: OnInputRequest | undefined) {
    this.#transport = channel;
    this.#onInputRequest = onInputRequest;
  }

  async listTools(options: RequestOptions = {}): Promise<readonly Tool[]> {
    const tools: Tool[] = [];
    const mirrored = new Map<string, readonly MirroredParam[]>();
    const { toolPagesMax } = this.#transport.limits;
    let cursor: string | undefined;
    for (let pages = 0; pages < toolPagesMax; pages += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const result = await this.#request({ method: 'tools/list', params }, options);
      const page = checked(() => {
        resultType(result, ['complete']);
        return parseToolPage(result);
      });
      for (const tool of page.tools) {
        const params_ = mirroredParams(tool.inputSchema);
        if (params_.ok) {
          tools.push(tool);
          mirrored.set(tool.name, params_.params);
        } else {
          const message = `The tool is left out: ${params_.reason}`;
          this.#transport.notify({ type: 'tool-rejected', tool: tool.name, message });
        }
      }
      cursor = page.nextCursor;
      if (cursor === undefined) {
        this.#mirrored = mirrored;
        return tools;
      }
    }
    const message = `tools/list has more than ${toolPagesMax} pages`;
    throw new ClientError({ code: 'protocol_fault', message, details: { fault: 'malformed_result' } });
  }

  async callTool(name: string, args: JsonObject = {}, options: CallToolOptions = {}): Promise<TaskHandle> {
    checkCall(name, args, options);
    const { idempotencyKey, signal } = options;
    const onInputRequest = options.onInputRequest ?? this.#onInputRequest;
    const meta = idempotencyKey === undefined ? {} : { _meta: { [IDEMPOTENCY_META_KEY]: idempotencyKey } };
    const base = { name, arguments: args, ...meta };
    const { inputRoundsMax } = this.#transport.limits;
    let answers: JsonObject = {};
    for (let round = 0; round < inputRoundsMax; round += 1) {
      const params = { ...base, ...answers };
      const call: Call = { method: 'tools/call', params, name, elicitation: onInputRequest !== undefined };
      const result = await this.#call(call, args, options);
      switch (checked(() => resultType(result, ['complete', 'task', 'input_required']))) {
        case 'complete':
          return new AnsweredCall(checked(() => parseToolResult(result)));
        case 'task':
          return this.#handle(checked(() => parseTask(result)).taskId, onInputRequest);
        case 'input_required':
          answers = await this.#answers(result, onInputRequest, signal ?? new AbortController().signal, round);
      }
    }
    const message = `The tool asked more than ${inputRoundsMax} rounds of questions`;
    throw new ClientError({ code: 'input_unanswered', message });
  }

  task(taskId: string, options: Pick<CallToolOptions, 'onInputRequest'> = {}): TaskHandle {
    argument(taskId, filled, 'taskId');
    return this.#handle(taskId, options.onInputRequest ?? this.#onInputRequest);
  }

  followTask<E extends EventSchemas = NoSchemas>(taskId: string, options: FollowOptions<E> = {}): Follow<E> {
    return new FollowRun(this.#transport, taskId, options);
  }

  async getTask(taskId: string, options: RequestOptions = {}): Promise<DetailedTask> {
    const result = await this.#taskRequest('tasks/get', taskId, {}, options);
    return checked(() => parseDetailedTask(result, taskId));
  }

  cancelTask(taskId: string, options?: RequestOptions): Promise<void> {
    return this.#command('tasks/cancel', taskId, {}, options);
  }

  deleteTask(taskId: string, options?: RequestOptions): Promise<void> {
    return this.#command(DELETE_METHOD, taskId, {}, options);
  }

  async steerTask(taskId: string, message: string, data?: JsonObject, options: RequestOptions = {}): Promise<void> {
    argument(message, filled, 'message');
    optionalArgument(data, object, 'data');
    const params = { message, ...(data !== undefined && { data }) };
    // A second one would be a second message.
    await this.#command(STEER_METHOD, taskId, params, options, false);
  }

  pauseTask(taskId: string, options?: RequestOptions): Promise<void> {
    return this.#command(PAUSE_METHOD, taskId, {}, options);
  }

  resumeTask(taskId: string, options?: RequestOptions): Promise<void> {
    return this.#command(RESUME_METHOD, taskId, {}, options);
  }

  async updateTask(
    taskId: string,
    inputResponses: Readonly<Record<string, InputResponse>>,
    options: RequestOptions = {},
  ): Promise<void> {
    argument(inputResponses, object, 'inputResponses');
    await this.#command('tasks/update', taskId, { inputResponses }, options);
  }

  #handle(taskId: string, onInputRequest: OnInputRequest | undefined): TaskHandle {
    return new RunningTask(this.#transport, this, taskId, onInputRequest);
  }

  /** One `tools/call`, with the headers that mirror its parameters. */
  async #call(call: Call, args: JsonObject, options: CallToolOptions): Promise<JsonObject> {
    const repeatable = options.idempotencyKey !== undefined;
    const name = call.name ?? '';
    const send = (): Promise<JsonObject> => {
      const headers = paramHeaders(this.#mirrored.get(name) ?? [], args);
      return this.#request({ ...call, headers }, options, repeatable, this.#transport.limits.callTimeoutMs);
    };
    try {
      return await send();
    } catch (error) {
      const mismatch = isClientError(error, 'rpc_error') && error.details['rpcCode'] === WireCode.headerMismatch;
      if (!mismatch) throw error;
      // The tool's definition may have changed; a refused call was not executed.
      await this.listTools(options);
      return send();
    }
  }

  /** What the next round of a call sends along. 2026-07-28 MRTR §Client Requirements. */
  async #answers(
    result: JsonObject,
    onInputRequest: OnInputRequest | undefined,
    signal: AbortSignal,
    round: number,
  ): Promise<JsonObject> {
    const { requests, requestState } = checked(() => ({
      requests: parseInputRequests(optional(result, 'inputRequests', object, 'result') ?? {}),
      requestState: optional(result, 'requestState', text, 'result'),
    }));
    const state = requestState === undefined ? {} : { requestState };
    const questions = Object.entries(requests);
    if (questions.length === 0) {
      await pause(backoffMs(round, Math.random(), this.#transport.limits), signal);
      return state;
    }
    if (onInputRequest === undefined) {
      throw new ClientError({ code: 'input_unanswered', message: 'The tool asks before it answers' });
    }
    const inputResponses: Record<string, InputResponse> = {};
    for (const [key, question] of questions) {
      const asked = askApplication(onInputRequest, key, question, { taskId: undefined, signal });
      inputResponses[key] = await waitFor(asked, signal, 'The call was aborted while a question was open');
    }
    return { ...state, inputResponses };
  }

  /** A request that is answered with nothing but that it was taken. */
  async #command(
    method: string,
    taskId: string,
    params: JsonObject,
    options: RequestOptions = {},
    repeatable = true,
  ): Promise<void> {
    const result = await this.#taskRequest(method, taskId, params, options, repeatable);
    checked(() => resultType(result, ['complete']));
  }

  async #taskRequest(
    method: string,
    taskId: string,
    params: JsonObject,
    options: RequestOptions,
    repeatable = true,
  ): Promise<JsonObject> {
    argument(taskId, filled, 'taskId');
    try {
      return await this.#request({ method, params: { taskId, ...params }, name: taskId }, options, repeatable);
    } catch (error) {
      const { rpcCode, reason } = isClientError(error, 'rpc_error') ? error.details : {};
      // With nothing but the id to refuse, and no reason given, the id is what is wrong.
      const unknown = rpcCode === WireCode.invalidParams && reason === undefined;
      if (!unknown || Object.keys(params).length > 0) throw error;
      throw new ClientError({ code: 'unknown_task', message: 'The server does not know the task' }, error);
    }
  }

  #request(
    call: Call,
    options: RequestOptions,
    repeatable = true,
    silenceMs = this.#transport.limits.requestTimeoutMs,
  ): Promise<JsonObject> {
    const signal = options.signal ?? new AbortController().signal;
    const elicitation = call.elicitation ?? this.#onInputRequest !== undefined;
    return request(this.#transport, { call: { ...call, elicitation }, signal, silenceMs, repeatable });
  }
}

function checkCall(name: unknown, args: unknown, options: CallToolOptions): void {
  argument(name, filled, 'name');
  argument(args, object, 'args');
  optionalArgument(options.idempotencyKey, filled, 'idempotencyKey');
}
