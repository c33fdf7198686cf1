/**
 * The `requestState` of a call that waits for input without a task of its own: which hidden task it is, or what its
 * client has answered so far when there is none yet.
 *
 * Invariant: bound to the owner, the tool and its arguments, and short-lived.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { SignedClaims } from '../auth/signed-claims.js';

const State = z.looseObject({
  taskId: z.string().optional(),
  given: z.record(z.string(), z.unknown()).optional(),
  call: z.string(),
});

export interface CallState {
  /** The hidden task; absent while there is none. */
  readonly taskId?: string | undefined;
  /** Answers that came before the task. */
  readonly given?: Readonly<Record<string, unknown>> | undefined;
}

export class RequestStates {
  readonly #claims: SignedClaims;

  constructor(key: string | undefined, lifeMs: number) {
    this.#claims = new SignedClaims('taskstream-call', key, lifeMs);
  }

  seal(owner: string, tool: string, args: unknown, state: CallState): Promise<string> {
    return this.#claims.sign(owner, { ...state, call: digest(tool, args) });
  }

  /** The state of this very call; undefined for anything else. */
  async open(state: string, owner: string, tool: string, args: unknown): Promise<CallState | undefined> {
    const parsed = State.safeParse(await this.#claims.read(state, owner));
    if (!parsed.success || parsed.data.call !== digest(tool, args)) return undefined;
    return { taskId: parsed.data.taskId, given: parsed.data.given };
  }
}

function digest(tool: string, args: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([tool, args]))
    .digest('base64url');
}
