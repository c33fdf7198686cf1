/**
 * What a handler needs to know of its caller, from the SDK's context.
 */
import { CLIENT_CAPABILITIES_META_KEY, type ServerContext } from '@modelcontextprotocol/server';
import { missingTasksCapability, TASKS_EXTENSION } from '@taskstream/protocol';
import * as z from 'zod';
import { protocolError } from '../wire-errors.js';

const Capabilities = z.looseObject({ extensions: z.record(z.string(), z.unknown()).optional() });
const Envelope = z.looseObject({ [CLIENT_CAPABILITIES_META_KEY]: Capabilities.optional() });
const AuthExtra = z.looseObject({ owner: z.string().min(1) });

export interface Caller {
  readonly owner: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly declaresTasks: boolean;
}

export function callerOf(context: ServerContext): Caller {
  const { owner } = AuthExtra.parse(context.http?.authInfo?.extra);
  const envelope = Envelope.safeParse(context.mcpReq.envelope);
  const capabilities = (envelope.success ? envelope.data[CLIENT_CAPABILITIES_META_KEY] : undefined) ?? {};
  return { owner, capabilities, declaresTasks: declaresTasks(capabilities) };
}

export function declaresTasks(capabilities: unknown): boolean {
  const parsed = Capabilities.safeParse(capabilities);
  return parsed.success && parsed.data.extensions?.[TASKS_EXTENSION] !== undefined;
}

/** @throws ProtocolError -32021 when the client did not declare the Tasks extension */
export function requireTasks(caller: Caller): void {
  if (!caller.declaresTasks) throw protocolError(missingTasksCapability());
}
