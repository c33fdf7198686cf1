/**
 * The `requestState` of a call that waits for input without a task of its own: which hidden task it is.
 *
 * Invariant: bound to the owner, the tool and its arguments, and short-lived.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { SignedClaims } from '../auth/signed-claims.js';

const State = z.looseObject({ taskId: z.string(), call: z.string() });

export class RequestStates {
  readonly #claims: SignedClaims;

  constructor(key: string | undefined, lifeMs: number) {
    this.#claims = new SignedClaims('taskstream-call', key, lifeMs);
  }

  seal(owner: string, tool: string, args: unknown, taskId: string): Promise<string> {
    return this.#claims.sign(owner, { taskId, call: digest(tool, args) });
  }

  /** The hidden task of this very call; undefined for anything else. */
  async open(state: string, owner: string, tool: string, args: unknown): Promise<string | undefined> {
    const parsed = State.safeParse(await this.#claims.read(state, owner));
    return parsed.success && parsed.data.call === digest(tool, args) ? parsed.data.taskId : undefined;
  }
}

function digest(tool: string, args: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([tool, args]))
    .digest('base64url');
}
