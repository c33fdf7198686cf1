/**
 * The `requestState` of a call that waits for input without a task of its own: which hidden task it is.
 *
 * Invariants: signed, short-lived, bound to the owner, the tool and its arguments, another one in every round; nothing
 * in it is trusted before the signature is.
 */
import { createHash, randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { nanoid } from 'nanoid';
import * as z from 'zod';

const State = z.object({ taskId: z.string(), call: z.string() });
const ISSUER = 'taskstream-call';

export class RequestStates {
  readonly #key: Uint8Array;
  readonly #lifeMs: number;

  constructor(key: string | undefined, lifeMs: number) {
    this.#key = key === undefined ? randomBytes(32) : new TextEncoder().encode(key);
    this.#lifeMs = lifeMs;
  }

  seal(owner: string, tool: string, args: unknown, taskId: string): Promise<string> {
    return new SignJWT({ taskId, call: digest(tool, args) })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(ISSUER)
      .setSubject(owner)
      .setJti(nanoid())
      .setExpirationTime(new Date(Date.now() + this.#lifeMs))
      .sign(this.#key);
  }

  /** The hidden task of this very call; undefined for anything else. */
  async open(state: string, owner: string, tool: string, args: unknown): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(state, this.#key, { issuer: ISSUER, algorithms: ['HS256'], subject: owner });
      const parsed = State.safeParse(payload);
      return parsed.success && parsed.data.call === digest(tool, args) ? parsed.data.taskId : undefined;
    } catch {
      return undefined;
    }
  }
}

function digest(tool: string, args: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([tool, args]))
    .digest('base64url');
}
