/** What revision 2025-11-25 asks of a connection to a server. */
import type { InputRequest } from './api.js';
import type { Call, Posted, Reply } from './channel.js';
import { membersOf } from './loose.js';
import type { JsonObject } from './shape.js';

/** A server of this revision. */
export interface Link2025 {
  /** It runs tools as tasks. */
  readonly tasks: boolean;
  request(call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted>;
  /** The same, read to the end of the response. */
  ask(call: Call, signal: AbortSignal, silenceMs: number): Promise<Reply>;
  /** Answers a question; undefined where the questions go to somebody else. */
  readonly respond: ((id: unknown, response: JsonObject, signal: AbortSignal) => Promise<void>) | undefined;
}

export function questionOf(method: string, params: unknown): InputRequest {
  return { method, params: membersOf(params) };
}

/** Whether a server runs tools as tasks. 2025-11-25 §Capability Negotiation. */
export function runsTools(capabilities: unknown): boolean {
  let at: unknown = capabilities;
  for (const key of ['tasks', 'requests', 'tools', 'call']) at = membersOf(at)[key];
  return at !== undefined;
}
