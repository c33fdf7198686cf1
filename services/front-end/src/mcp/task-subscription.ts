/**
 * `subscriptions/listen` with `taskIds`: the whole task at every change of its status. The SDK drops `taskIds`, so
 * such a subscription is served here, the other kinds that it asks for included.
 *
 * Invariants: the acknowledgement is first; ids that are not the caller's are left out of it; each task's present
 * state follows; every message carries the subscription's id; a graceful end is a result, and one that comes before the
 * tasks are over is announced by `notifications/cancelled`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TASK_ID_LENGTH_MAX } from '@taskstream/core';
import {
  commentFrame,
  invalidParams,
  messageFrame,
  missingTasksCapability,
  projectDetailedTask,
  SSE_HEADERS,
  type StreamEndReason,
  httpStatusFor,
} from '@taskstream/protocol';
import {
  CLIENT_CAPABILITIES_META_KEY,
  isJSONRPCRequest,
  SERVER_INFO_META_KEY,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { replyError, type JsonRpcId } from '../http/json-rpc-reply.js';
import { acceptsEventStream } from '../http/mcp-headers.js';
import type { OwnedTasks } from '../owned-tasks.js';
import type { Principal } from '../principal.js';
import type { KeptAlive, OpenStreams } from '../stream/open-streams.js';
import { modernRequest, refusal } from '../stream/stream-route.js';
import { wireErrorOf } from '../wire-errors.js';
import { declaresTasks } from './call-context.js';
import { factsOf } from './facts.js';
import type { McpParts } from './parts.js';
import { watchStatus } from './watch-status.js';

const TASKS_MAX = 1_000;
const Filter = z.looseObject({
  taskIds: z.array(z.string().max(TASK_ID_LENGTH_MAX)).min(1).max(TASKS_MAX),
  toolsListChanged: z.boolean().optional(),
});
const Params = z.looseObject({ notifications: z.looseObject({ taskIds: z.unknown() }) });

export interface SubscriptionParts {
  readonly mcp: McpParts;
  readonly streams: OpenStreams;
}

/** Whether the body is a subscription to tasks. */
export function isTaskSubscription(body: unknown): boolean {
  if (!isJSONRPCRequest(body) || body.method !== 'subscriptions/listen') return false;
  const params = Params.safeParse(body.params);
  return params.success && params.data.notifications.taskIds !== undefined;
}

/** Resolves with false when the SDK must refuse the request; otherwise when the subscription is over. */
export async function serveTaskSubscription(
  parts: SubscriptionParts,
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
  principal: Principal,
): Promise<boolean> {
  const route = modernRequest(request, body);
  if (route === undefined) return false;
  const { params } = route.message;
  const id = route.message.id as JsonRpcId;
  const refuse = (error: Parameters<typeof replyError>[3], status = httpStatusFor(error.code)) =>
    replyError(response, status, id, error);
  if (!acceptsEventStream(request.headers.accept)) {
    const message = 'Not Acceptable: subscriptions/listen needs a client that accepts text/event-stream';
    refuse({ code: -32000, message }, 406);
    return true;
  }
  if (!declaresTasks(params?._meta?.[CLIENT_CAPABILITIES_META_KEY])) {
    refuse(missingTasksCapability());
    return true;
  }
  const filter = Filter.safeParse((params as { notifications?: unknown } | undefined)?.notifications);
  if (!filter.success) {
    refuse(invalidParams(`notifications.taskIds: expected 1 to ${TASKS_MAX} task ids`));
    return true;
  }
  const place = parts.streams.take(principal.owner, `subscription ${String(id)}`, request.socket);
  if (typeof place === 'string') {
    refuse(refusal(place, '', parts.mcp.limits));
    return true;
  }
  response.once('close', () => place.release());
  let taskIds: string[];
  try {
    taskIds = await ownedTasks(parts.mcp.owned, [...new Set(filter.data.taskIds)], principal.owner);
  } catch (error) {
    refuse(wireErrorOf(error, ''));
    return true;
  }
  // The client may have gone meanwhile; from here to the subscription's own listener nothing waits.
  if (response.closed) return true;
  const subscription = new TaskSubscription(id, parts.mcp, response);
  place.attach(subscription);
  await subscription.run(taskIds, filter.data.toolsListChanged === true);
  return true;
}

async function ownedTasks(tasks: OwnedTasks, taskIds: readonly string[], owner: string): Promise<string[]> {
  const owned: string[] = [];
  for (const taskId of taskIds) {
    if ((await tasks.readSpec(taskId, owner)) !== undefined) owned.push(taskId);
  }
  return owned;
}

class TaskSubscription implements KeptAlive {
  readonly openedAt = performance.now();
  readonly ageFactor = 0.9 + Math.random() * 0.2;
  wroteAt = this.openedAt;
  readonly #id: JsonRpcId;
  readonly #parts: McpParts;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();
  #over = false;

  constructor(id: JsonRpcId, parts: McpParts, response: ServerResponse) {
    this.#id = id;
    this.#parts = parts;
    this.#response = response;
  }

  async run(taskIds: readonly string[], toolsListChanged: boolean): Promise<void> {
    const response = this.#response;
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    response.on('error', () => undefined);
    response.once('close', () => this.#stop());
    response.writeHead(200, SSE_HEADERS);
    const notifications = { taskIds, ...(toolsListChanged && { toolsListChanged }) };
    this.#notify('notifications/subscriptions/acknowledged', { notifications });
    const off = toolsListChanged
      ? this.#parts.catalogue.onChange(() => this.#notify('notifications/tools/list_changed', {}))
      : () => undefined;
    const watches = taskIds.map((taskId) => this.#watch(taskId));
    // With nothing left that could change, the subscription is over.
    if (!toolsListChanged) void Promise.all(watches).then(() => this.end('terminal'));
    await closed;
    off();
  }

  async #watch(taskId: string): Promise<void> {
    try {
      for await (const snapshot of watchStatus(this.#parts, taskId, this.#abort.signal)) {
        this.#notify('notifications/tasks', projectDetailedTask(factsOf(snapshot), snapshot.status));
      }
    } catch {
      // The task cannot be followed here any more: the client opens the subscription again.
      this.end('rotated');
    }
  }

  heartbeat(): void {
    if (!this.#over && !this.#response.writableNeedDrain) this.#write(commentFrame('heartbeat'));
  }

  end(reason: StreamEndReason): void {
    if (this.#over) return;
    // Torn down while there was more to tell: its client opens it again.
    if (reason !== 'terminal') this.#notify('notifications/cancelled', { requestId: this.#id, reason });
    const _meta = { [SUBSCRIPTION_ID_META_KEY]: this.#id, [SERVER_INFO_META_KEY]: this.#parts.serverInfo };
    this.#write(messageFrame({ jsonrpc: '2.0', id: this.#id, result: { resultType: 'complete', _meta } }));
    this.#stop();
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }

  #stop(): void {
    this.#over = true;
    this.#abort.abort();
  }

  #notify(method: string, params: Record<string, unknown>): void {
    const meta = { [SUBSCRIPTION_ID_META_KEY]: this.#id };
    this.#write(messageFrame({ jsonrpc: '2.0', method, params: { ...params, _meta: meta } }));
  }

  #write(text: string): void {
    if (this.#over) return;
    this.wroteAt = performance.now();
    this.#response.write(text);
    // A client that does not read its notifications is cut before they pile up.
    if (this.#response.writableLength > BACKLOG_BYTES_MAX) this.#response.destroy();
  }
}

/** Unread notifications of one subscription. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
