/**
 * Waiting for a task's result in revision 2025-11-25: `tasks/result`, and a call that is answered without a task.
 * Questions of the task go out on the way, as requests to the client.
 *
 * Invariants: a question goes out on one stream of all nodes at a time; the answer comes back as another POST on any
 * node; the last message is the response, unless the client cancelled the request.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { nanoid } from 'nanoid';
import type { LimitHit, QuestionLeases, TaskSnapshot } from '@taskstream/core';
import {
  commentFrame,
  isTerminal,
  messageFrame,
  projectTask2025,
  RELATED_TASK_META_KEY,
  SSE_HEADERS,
  temporarilyUnavailable,
  type StreamEndReason,
  type WireError,
} from '@taskstream/protocol';
import { replyResult, replyError, type JsonRpcId } from '../http/json-rpc-reply.js';
import { factsOf } from '../mcp/facts.js';
import { progressRelay, type ProgressToken } from '../mcp/progress-relay.js';
import { watchStatus, type WatchParts } from '../mcp/watch-status.js';
import type { KeptAlive } from '../stream/open-streams.js';
import { questionId } from './question-id.js';

/** How often a question that another stream holds is looked at again. */
const LEASE_RETRY_MS = 5_000;
/** A client that stops reading events once it has the result gets its last events first. */
const RESULT_AFTER_EVENTS_MS = 20;

export interface ResultRequest {
  readonly id: JsonRpcId;
  readonly taskId: string;
  /** `tasks/result` names its task in the result and in its questions; a plain call does not. */
  readonly related: boolean;
  /** Whether status notifications are told: only to clients that know tasks. */
  readonly statuses: boolean;
  /** What is known of the task already. */
  readonly from: TaskSnapshot | undefined;
  /** Under which the client wants to hear of progress. */
  readonly progressToken: ProgressToken | undefined;
  readonly progressPerSecondMax: number;
}

interface ResultParts extends WatchParts {
  readonly questions: QuestionLeases;
  readonly limitHit: LimitHit;
}

export class ResultStream implements KeptAlive {
  readonly openedAt = performance.now();
  readonly ageFactor = 1;
  wroteAt = this.openedAt;
  readonly #request: ResultRequest;
  readonly #parts: ResultParts;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();
  readonly #holder = nanoid();
  readonly #asked = new Set<string>();
  #open: TaskSnapshot | undefined;
  #over = false;
  #stopped = false;

  constructor(request: ResultRequest, parts: ResultParts, response: ServerResponse) {
    this.#request = request;
    this.#parts = parts;
    this.#response = response;
  }

  /** The client cancelled the request: it wants no response. */
  cancel(): void {
    this.#over = true;
    this.#abort.abort();
    if (!this.#response.headersSent) this.#response.writeHead(200, SSE_HEADERS);
    this.#response.end();
  }

  end(_reason: StreamEndReason): void {
    // A plain call cannot be asked for again elsewhere: a node that drains waits for it, and stops it at last.
    if (!this.#request.related) return;
    this.#finish({ error: temporarilyUnavailable('This node is shutting down; ask for the result again') });
  }

  /** Whether the node stopped waiting before the task was over. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The node can wait no longer. */
  stop(): void {
    if (this.#over) return;
    this.#stopped = true;
    this.#finish({ error: temporarilyUnavailable('This node is shutting down; call again') });
  }

  destroy(): void {
    this.#response.destroy();
  }

  heartbeat(): void {
    if (this.#over || !this.#response.headersSent || this.#response.writableNeedDrain) return;
    this.#write(commentFrame('heartbeat'));
  }

  /** Runs until the response is out or the client is gone. Never rejects. `onError` maps a fault. */
  async run(onError: (error: unknown) => WireError): Promise<void> {
    const onGone = () => {
      this.#over = true;
      this.#abort.abort();
    };
    if (this.#response.closed) return onGone();
    this.#response.on('close', onGone);
    this.#response.on('error', () => undefined);
    const timer = setInterval(() => void this.#askAgain(), LEASE_RETRY_MS);
    try {
      const { taskId, from, progressToken, progressPerSecondMax } = this.#request;
      const onProgress = progressRelay(
        progressToken,
        progressPerSecondMax,
        (notification) => this.#write(messageFrame({ jsonrpc: '2.0', ...notification })),
        this.#parts.limitHit,
      );
      for await (const snapshot of watchStatus(this.#parts, taskId, this.#abort.signal, { from, onProgress })) {
        if (this.#over) break;
        if (isTerminal(snapshot.status.status)) {
          if (this.#response.headersSent) await delay(RESULT_AFTER_EVENTS_MS);
          this.#finish(resultOf(snapshot, this.#request.related));
          break;
        }
        this.#begin();
        if (this.#request.statuses) {
          const params = projectTask2025(factsOf(snapshot), snapshot.status);
          this.#write(messageFrame({ jsonrpc: '2.0', method: 'notifications/tasks/status', params }));
        }
        this.#open = snapshot;
        await this.#ask(snapshot);
      }
      if (!this.#over) this.#finish({ error: temporarilyUnavailable('The task is no longer readable here') });
    } catch (error) {
      if (!this.#over) this.#finish({ error: onError(error) });
    } finally {
      clearInterval(timer);
      this.#abort.abort();
      for (const key of this.#asked) {
        await this.#parts.questions.release(this.#request.taskId, key, this.#holder).catch(() => undefined);
      }
    }
  }

  #begin(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, SSE_HEADERS);
    this.#write(commentFrame('taskstream'));
  }

  async #ask(snapshot: TaskSnapshot): Promise<void> {
    const { taskId, related } = this.#request;
    for (const [key, request] of Object.entries(snapshot.status.inputRequests ?? {})) {
      if (this.#asked.has(key) || this.#over) continue;
      if (!(await this.#parts.questions.take(taskId, key, this.#holder))) continue;
      this.#asked.add(key);
      const { method, params = {} } = request as { method: string; params?: Record<string, unknown> };
      // A client that made no task knows none: to it the question belongs to its call.
      const asked = related ? { ...params, _meta: { [RELATED_TASK_META_KEY]: { taskId } } } : params;
      this.#write(messageFrame({ jsonrpc: '2.0', id: questionId(taskId, key), method, params: asked }));
    }
  }

  /** Keeps the leases of what was asked, and takes over what another stream no longer holds. */
  async #askAgain(): Promise<void> {
    const snapshot = this.#open;
    if (snapshot === undefined || this.#over) return;
    try {
      for (const key of this.#asked) {
        if (key in (snapshot.status.inputRequests ?? {})) {
          await this.#parts.questions.take(this.#request.taskId, key, this.#holder);
        }
      }
      await this.#ask(snapshot);
    } catch {
      // The next round tries again.
    }
  }

  #write(text: string): void {
    if (this.#over) return;
    this.wroteAt = performance.now();
    this.#response.write(text);
  }

  #finish(outcome: { result: Record<string, unknown> } | { error: WireError }): void {
    if (this.#over) return;
    const { id } = this.#request;
    if (!this.#response.headersSent) {
      this.#over = true;
      if ('result' in outcome) replyResult(this.#response, id, outcome.result);
      else replyError(this.#response, 200, id, outcome.error);
    } else {
      this.#write(messageFrame({ jsonrpc: '2.0', id, ...outcome }));
      this.#over = true;
      this.#response.end();
    }
    this.#abort.abort();
  }
}

/** What the underlying request would have returned. 2025-11-25 §Result Retrieval. */
function resultOf(
  snapshot: TaskSnapshot,
  related: boolean,
): { result: Record<string, unknown> } | { error: WireError } {
  const { status, spec } = snapshot;
  const meta = { [RELATED_TASK_META_KEY]: { taskId: spec.taskId } };
  if (status.status === 'completed') {
    const result = status.result ?? { content: [] };
    if (!related) return { result };
    return { result: { ...result, _meta: { ...(result['_meta'] as object | undefined), ...meta } } };
  }
  // The very error of the underlying request: an error has no place for metadata.
  const message = status.statusMessage ?? `The task was ${status.status}`;
  return { error: (status.error as WireError | undefined) ?? { code: -32603, message } };
}
