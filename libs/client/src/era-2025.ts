/**
 * Revision 2025-11-25 in the words of 2026-07-28: calls as tasks, results that are fetched apart, questions that come as
 * requests. 2025-11-25 §Tasks.
 *
 * Invariants: a tool is called as a task exactly if server and tool say that it may be; a question is open from when the
 * server asked until it was answered or its task went on; streams that wait for questions are closed by `leave`; what is
 * kept for calls that ask is bounded.
 */
import type { RpcError } from './api.js';
import type { Call, Channel, Exchange, Posted, Reply } from './channel.js';
import { answered, errorOf, postedOf, refused } from './exchanges.js';
import { questionOf, type Link2025 } from './link-2025.js';
import { QuestionDesk } from './question-desk.js';
import { membersOf } from './loose.js';
import type { JsonObject } from './shape.js';

/** Calls without a task that wait for the answer to a question; beyond it the oldest is given up. */
const ASKING_CALLS_MAX = 64;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
/** Reasons of our servers for an error of the request itself, not of the task. */
const PASSING: readonly unknown[] = ['temporarily_unavailable', 'limit_reached'];

/** A call without a task, of which a question is open. */
interface AskingCall {
  readonly exchange: Exchange;
  readonly link: Link2025;
  readonly id: unknown;
  readonly key: string;
}

export class Era2025 {
  readonly #limits: Channel['limits'];
  /** What the tools say of tasks, once they were listed. */
  #support: Map<unknown, unknown> | undefined;
  readonly #desks = new Map<string, QuestionDesk>();
  readonly #asking = new Map<string, AskingCall>();
  #lastState = 0;

  constructor(limits: Channel['limits']) {
    this.#limits = limits;
  }

  /** Throws like `Exchange.read`. */
  post(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    switch (call.method) {
      case 'tools/call':
        return this.#call(link, call, signal, silenceMs);
      case 'tools/list':
        return this.#list(link, call, signal, silenceMs);
      case 'tasks/get':
        return this.#get(link, call, signal, silenceMs);
      case 'tasks/update':
        return this.#update(link, call, signal);
      case 'tasks/cancel':
        return this.#cancel(link, call, signal, silenceMs);
      default:
        return link.request(call, signal, silenceMs);
    }
  }

  leave(taskId: string): void {
    this.#desks.get(taskId)?.close();
    this.#desks.delete(taskId);
  }

  async #call(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const state = call.params['requestState'];
    if (typeof state === 'string') return this.#goOn(state, call.params, signal, silenceMs);
    if (!link.tasks) return this.#plain(link, call, signal, silenceMs);
    let asTask = await this.#supports(link, call, signal, silenceMs);
    for (let again = false; ; again = true) {
      if (!asTask) return this.#plain(link, call, signal, silenceMs);
      const answer = await link.ask({ ...call, params: { ...call.params, task: {} } }, signal, silenceMs);
      // The tool has changed since it was listed: such a call was not executed.
      if (!again && errorOf(answer)?.code === METHOD_NOT_FOUND) {
        this.#support = undefined;
        asTask = await this.#supports(link, call, signal, silenceMs);
        continue;
      }
      if (answer.type !== 'result') return answer;
      const created = answer.result['task'];
      return answered(created === undefined ? answer.result : { resultType: 'task', ...taskOf(membersOf(created)) });
    }
  }

  async #plain(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const opened = await link.request(call, signal, silenceMs);
    return opened.type === 'open' ? this.#untilAsked(link, opened.exchange, silenceMs) : opened;
  }

  /** Reads to the result, or to a question: that becomes a round of the call. */
  async #untilAsked(link: Link2025, exchange: Exchange, silenceMs: number): Promise<Posted> {
    for (;;) {
      const next = await exchange.read(silenceMs);
      if (next.type === 'eof') throw new Error('The connection was cut before the response');
      if (next.type !== 'message') continue;
      const { message } = next;
      if (message.kind === 'error' || message.kind === 'result') exchange.close();
      if (message.kind === 'error') return refused(message.error);
      if (message.kind === 'result') return answered(message.result);
      if (message.kind !== 'request' || link.respond === undefined) continue;
      const key = String(message.id);
      this.#lastState += 1;
      const requestState = `call-${this.#lastState}`;
      this.#asking.set(requestState, { exchange, link, id: message.id, key });
      for (const [oldest, { exchange: given }] of this.#asking) {
        if (this.#asking.size <= ASKING_CALLS_MAX) break;
        given.close();
        this.#asking.delete(oldest);
      }
      return answered({
        resultType: 'input_required',
        inputRequests: { [key]: questionOf(message.method, message.params) },
        requestState,
      });
    }
  }

  async #goOn(state: string, params: JsonObject, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const asking = this.#asking.get(state);
    const answers = params['inputResponses'];
    const given = asking && membersOf(answers)[asking.key];
    const response = membersOf(given);
    if (asking === undefined || response !== given) return refused(invalid('The call no longer waits for an answer'));
    this.#asking.delete(state);
    await asking.link.respond?.(asking.id, response, signal);
    return this.#untilAsked(asking.link, asking.exchange, silenceMs);
  }

  async #list(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const answer = await link.ask(call, signal, silenceMs);
    if (answer.type === 'result') this.#remember(answer.result);
    return postedOf(answer);
  }

  /** Gives the cursor of the next page. */
  #remember({ tools, nextCursor }: JsonObject): unknown {
    this.#support ??= new Map();
    for (const tool of Array.isArray(tools) ? tools : []) {
      const { name, execution } = membersOf(tool);
      this.#support.set(name, membersOf(execution)['taskSupport']);
    }
    return nextCursor;
  }

  /** Whether the tool may be called as a task. 2025-11-25 §Tool-Level Negotiation. */
  async #supports(link: Link2025, { name = '' }: Call, signal: AbortSignal, silenceMs: number): Promise<boolean> {
    let cursor: unknown;
    for (let page = 0; page < this.#limits.toolPagesMax && this.#support?.has(name) !== true; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const answer = await link.ask({ method: 'tools/list', params }, signal, silenceMs);
      // A tool that cannot be found out about is called without a task.
      if (answer.type !== 'result') return false;
      cursor = this.#remember(answer.result);
      if (typeof cursor !== 'string') break;
    }
    const support = this.#support?.get(name);
    return support === 'optional' || support === 'required';
  }

  async #get(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const answer = await link.ask(call, signal, silenceMs);
    if (answer.type !== 'result') return answer;
    const task = taskOf(answer.result);
    const taskId = String(task['taskId']);
    switch (task['status']) {
      case 'completed':
      case 'failed':
        this.leave(taskId);
        return withOutcome(task, await link.ask({ ...call, method: 'tasks/result' }, signal, silenceMs));
      case 'input_required':
        return answered({ ...task, inputRequests: await this.#questions(link, call, taskId, signal) });
      case 'working':
        this.#desks.get(taskId)?.clear();
        return answered(task);
      default:
        this.leave(taskId);
        return answered(task);
    }
  }

  /** Opens the way that questions come on, and waits for the first. 2025-11-25 §Input Required Status. */
  async #questions(link: Link2025, call: Call, taskId: string, signal: AbortSignal): Promise<JsonObject> {
    if (call.questions !== true) return this.#desks.get(taskId)?.questions() ?? {};
    const desk = this.#desks.get(taskId) ?? new QuestionDesk(taskId, this.#limits);
    this.#desks.set(taskId, desk);
    desk.attend(link);
    await desk.asked(this.#limits.pollIntervalMs, signal);
    return desk.questions();
  }

  async #update(link: Link2025, { params }: Call, signal: AbortSignal): Promise<Posted> {
    const desk = this.#desks.get(String(params['taskId']));
    for (const [key, response] of Object.entries(membersOf(params['inputResponses']))) {
      // Of an update that is sent again, because not all of its answers had arrived.
      if (desk?.hasAnswered(key) === true) continue;
      const id = desk?.idOf(key);
      const given = membersOf(response);
      if (id === undefined || given !== response) return refused(invalid('No such question is open'));
      await link.respond?.(id, given, signal);
      desk?.answered(key);
    }
    return answered({});
  }

  /** A task that is over cannot be cancelled in this era: that is no error in the other. */
  async #cancel(link: Link2025, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const answer = await link.ask(call, signal, silenceMs);
    if (errorOf(answer)?.code !== INVALID_PARAMS) return postedOf(answer);
    const task = await link.ask({ ...call, method: 'tasks/get' }, signal, silenceMs);
    return task.type === 'result' ? answered({}) : postedOf(answer);
  }
}

function invalid(message: string): RpcError {
  return { code: INVALID_PARAMS, message };
}

/** The flat task of 2026-07-28. */
function taskOf({ ttl = null, pollInterval, ...same }: JsonObject): JsonObject {
  return { ...same, ttlMs: ttl, pollIntervalMs: pollInterval };
}

/**
 * The task with what `tasks/result` says of its end. A result with `isError` is a failed task in this era, and a
 * completed one in the other.
 */
function withOutcome(task: JsonObject, answer: Reply): Posted {
  if (answer.type === 'result') {
    return answered({ ...task, status: 'completed', result: answer.result });
  }
  const error = errorOf(answer);
  if (task['status'] !== 'failed' || error === undefined) return postedOf(answer);
  const { reason } = membersOf(error.data);
  return PASSING.includes(reason) ? postedOf(answer) : answered({ ...task, error });
}
