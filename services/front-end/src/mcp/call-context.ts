/**
 * What a handler needs to know of its caller, from the SDK's context or from the raw request.
 *
 * Invariant: in 2026-07-28 capabilities come with each request, in 2025-11-25 with the session; nowhere else.
 */
import { CLIENT_CAPABILITIES_META_KEY, type ServerContext } from '@modelcontextprotocol/server';
import { missingTasksCapability, TASKS_EXTENSION } from '@taskstream/protocol';
import type { TraceSpan } from '@taskstream/service-host';
import * as z from 'zod';
import { LegacySession } from '../legacy/session.js';
import { protocolError } from '../wire-errors.js';

const Capabilities = z.looseObject({ extensions: z.record(z.string(), z.unknown()).optional() });
const Envelope = z.looseObject({ [CLIENT_CAPABILITIES_META_KEY]: Capabilities.optional() });

/** What the application puts into the SDK's `authInfo.extra`. */
export const AuthExtra = z.looseObject({
  owner: z.string().min(1),
  /** The revision that an older client speaks. */
  protocolVersion: z.string().optional(),
  session: LegacySession.optional(),
  /** The span of the request, when it has one. */
  trace: z.custom<TraceSpan>().optional(),
});
export type AuthExtra = z.infer<typeof AuthExtra>;

export interface Caller {
  readonly owner: string;
  readonly era: 'modern' | 'legacy';
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Whether the caller may be given tasks. */
  readonly declaresTasks: boolean;
  readonly trace: TraceSpan | undefined;
}

/** The first revision with tasks. */
const TASKS_REVISION = '2025-11-25';

export function knowsTasks2025(protocolVersion: string | undefined): boolean {
  return protocolVersion === TASKS_REVISION;
}

export function callerOf(context: ServerContext, era: Caller['era']): Caller {
  const extra = AuthExtra.parse(context.http?.authInfo?.extra);
  if (era === 'legacy') return legacyCaller(extra);
  const envelope = Envelope.safeParse(context.mcpReq.envelope);
  const capabilities = (envelope.success ? envelope.data[CLIENT_CAPABILITIES_META_KEY] : undefined) ?? {};
  return { owner: extra.owner, era, capabilities, declaresTasks: declaresTasks(capabilities), trace: extra.trace };
}

export function legacyCaller(extra: AuthExtra): Caller {
  return {
    owner: extra.owner,
    era: 'legacy',
    capabilities: extra.session?.capabilities ?? {},
    declaresTasks: knowsTasks2025(extra.protocolVersion),
    trace: extra.trace,
  };
}

export function declaresTasks(capabilities: unknown): boolean {
  const parsed = Capabilities.safeParse(capabilities);
  return parsed.success && parsed.data.extensions?.[TASKS_EXTENSION] !== undefined;
}

/** @throws ProtocolError -32021 when the client did not declare the Tasks extension */
export function requireTasks(caller: Caller): void {
  if (!caller.declaresTasks) throw protocolError(missingTasksCapability());
}
