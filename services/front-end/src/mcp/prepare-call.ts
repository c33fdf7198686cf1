/**
 * What a `tools/call` becomes, in either era: a refusal, an answer, a task, or a task that nobody sees.
 *
 * Invariants: nothing is created here; a call that breaks the tool's schema never gets a spec; in 2026-07-28 the
 * server decides and `params.task` means nothing, in 2025-11-25 the client does; a 2026-07-28 client that cannot be
 * asked what the tool must know first is told which capability it lacks.
 */
import { PRIORITY_MAX, type TaskSpec, type ToolDefinition } from '@taskstream/core';
import {
  DELAY_META_KEY,
  describeIssues,
  IDEMPOTENCY_META_KEY,
  invalidParams,
  lackingCapability,
  missingTasksCapability,
  PRIORITY_META_KEY,
  TRACEPARENT_META_KEY,
  WireCode,
  type WireError,
} from '@taskstream/protocol';
import { traceparentFrom } from '@taskstream/service-host';
import { nanoid } from 'nanoid';
import * as z from 'zod';
import { specOf } from '../task-request.js';
import { takeAnswers } from './answers.js';
import type { Caller } from './call-context.js';
import type { McpParts } from './parts.js';
import { progressTokenOf } from './progress-relay.js';

/** A hidden task is of no use long after its caller has gone. */
const HIDDEN_TTL_MS_MAX = 3_600_000;

const CallMeta = z.looseObject({
  [IDEMPOTENCY_META_KEY]: z.string().min(1).max(200).optional(),
  [PRIORITY_META_KEY]: z.int().min(0).max(PRIORITY_MAX).optional(),
  [DELAY_META_KEY]: z.int().nonnegative().optional(),
  [TRACEPARENT_META_KEY]: z.unknown().optional(),
});
const TaskParams = z.looseObject({ ttl: z.int().positive().optional() });

export interface CallParams {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly meta: unknown;
  /** `params.task` of 2025-11-25; undefined when absent. */
  readonly task: unknown;
  /** Answers that came with the call. */
  readonly given: Readonly<Record<string, unknown>>;
}

export type PreparedCall =
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'answer'; readonly result: Record<string, unknown> }
  /** Questions that come before the task, and the answers that are known already. */
  | {
      readonly type: 'ask';
      readonly questions: Readonly<Record<string, unknown>>;
      readonly given: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'task' | 'hidden'; readonly tool: ToolDefinition; readonly spec: TaskSpec };

export function prepareCall(parts: McpParts, caller: Caller, params: CallParams): PreparedCall {
  const refused = (error: WireError): PreparedCall => ({ type: 'refused', error });
  const tool = parts.catalogue.get(params.name);
  if (tool === undefined) return refused(invalidParams(`Unknown tool: ${params.name.slice(0, 80)}`));
  const mode = caller.era === 'modern' ? modernMode(tool, caller) : legacyMode(tool, caller, params.task);
  if (typeof mode === 'object') return refused(mode);
  const carried = { _meta: params.meta ?? {} };
  const parsed = z.object({ _meta: CallMeta }).safeParse(carried);
  if (!parsed.success) return refused(invalidParams(describeIssues(parsed.error, carried)));
  const { _meta: meta } = parsed.data;
  const task = TaskParams.safeParse(params.task ?? {});
  if (mode === 'task' && !task.success) {
    return refused(invalidParams('task.ttl: expected a positive integer of milliseconds'));
  }
  const problem = parts.toolArguments.problem(tool, params.arguments);
  if (problem !== undefined) {
    // A client that asked for a task gets one or an error; any other reads the problem as a result.
    if (caller.era === 'legacy' && mode === 'task') return refused(invalidParams(problem));
    return { type: 'answer', result: { content: [{ type: 'text', text: problem }], isError: true } };
  }
  let given: Readonly<Record<string, unknown>> = {};
  if (caller.era === 'modern') {
    const taken = takeAnswers(tool.inputFirst ?? {}, params.given);
    if (!taken.ok) return refused(invalidParams(`Invalid params for tools/call: ${taken.problem}`));
    given = Object.fromEntries(taken.answers);
    const first = unansweredFirst(tool, given);
    const lacking = lackingCapabilities(first, caller);
    if (lacking !== undefined) return refused(missingCapabilities(lacking));
    if (first.length > 0) return { type: 'ask', questions: Object.fromEntries(first), given };
  }
  const wantedTtl = task.success ? task.data.ttl : undefined;
  const ttlMs =
    mode === 'hidden' ? Math.min(tool.ttlMs ?? HIDDEN_TTL_MS_MAX, HIDDEN_TTL_MS_MAX) : (wantedTtl ?? tool.ttlMs);
  const spec = specOf(
    {
      tool,
      args: params.arguments,
      owner: caller.owner,
      ttlMs,
      given,
      clientCapabilities: caller.capabilities,
      priority: meta[PRIORITY_META_KEY],
      // Who waits for the answer itself wants no delay.
      delayMs: mode === 'hidden' ? 0 : meta[DELAY_META_KEY],
      idempotencyKey: mode === 'task' ? meta[IDEMPOTENCY_META_KEY] : undefined,
      // The creator's is kept, because its own spans are what it will look for.
      traceparent: traceparentFrom(meta[TRACEPARENT_META_KEY]) ?? caller.trace?.traceparent,
      progressToken: caller.era === 'legacy' && mode === 'task' ? progressTokenOf(params.meta) : undefined,
    },
    {
      retentionClasses: parts.retentionClasses,
      shards: parts.shards,
      now: new Date().toISOString(),
      random: nanoid(22),
    },
  );
  caller.trace?.set({ 'taskstream.task_id': spec.taskId });
  const delayMs = spec.startAt === undefined ? 0 : Date.parse(spec.startAt) - Date.parse(spec.createdAt);
  if (spec.ttlMs !== null && delayMs >= spec.ttlMs) {
    return refused(invalidParams(`_meta.${DELAY_META_KEY}: expected less than the task's ttl of ${spec.ttlMs} ms`));
  }
  return { type: mode, tool, spec };
}

function modernMode(tool: ToolDefinition, caller: Caller): 'task' | 'hidden' | WireError {
  if (caller.declaresTasks) return tool.taskSupport === 'forbidden' ? 'hidden' : 'task';
  return tool.taskSupport === 'required' ? missingTasksCapability() : 'hidden';
}

function legacyMode(tool: ToolDefinition, caller: Caller, task: unknown): 'task' | 'hidden' | WireError {
  const wanted = caller.declaresTasks && task !== undefined;
  if (wanted && tool.taskSupport === 'forbidden') {
    return { code: WireCode.methodNotFound, message: `The tool ${tool.name} cannot be called as a task` };
  }
  if (!wanted && tool.taskSupport === 'required') {
    return { code: WireCode.methodNotFound, message: `The tool ${tool.name} can only be called as a task` };
  }
  return wanted ? 'task' : 'hidden';
}

type Question = [name: string, request: Parameters<typeof lackingCapability>[0]];

/** The questions that must be answered before the task. */
function unansweredFirst(tool: ToolDefinition, given: Readonly<Record<string, unknown>>): Question[] {
  return Object.entries(tool.inputFirst ?? {}).filter(([name]) => !Object.hasOwn(given, name));
}

/** What the questions need and the client did not declare, together; undefined when nothing is missing. */
function lackingCapabilities(questions: ReadonlyArray<Question>, caller: Caller): Record<string, unknown> | undefined {
  const missing: Record<string, unknown> = {};
  for (const [, request] of questions) {
    for (const [name, features] of Object.entries(lackingCapability(request, caller.capabilities) ?? {})) {
      missing[name] = { ...(missing[name] as object | undefined), ...(features as object) };
    }
  }
  return Object.keys(missing).length === 0 ? undefined : missing;
}

/** 2026-07-28 §Per-request protocol fields: what a request needs and its client did not declare. */
function missingCapabilities(requiredCapabilities: Readonly<Record<string, unknown>>): WireError {
  return {
    code: WireCode.missingClientCapability,
    message: `Missing required client capability: ${Object.keys(requiredCapabilities).join(', ')}`,
    data: { requiredCapabilities },
  };
}
