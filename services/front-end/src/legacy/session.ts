/**
 * Sessions of revision 2025-11-25 and older: signed, self-contained ids, so that any node knows a client's
 * capabilities and nothing is stored.
 *
 * Invariants: an id that this deployment did not sign, or that has expired, or that belongs to another owner is no
 * session; the key is shared by all front ends.
 */
import { randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { nanoid } from 'nanoid';
import * as z from 'zod';

export const LegacySession = z.object({
  jti: z.string(),
  sub: z.string(),
  protocolVersion: z.string(),
  capabilities: z.record(z.string(), z.unknown()),
});
export type LegacySession = z.infer<typeof LegacySession>;

const ISSUER = 'taskstream';

export class Sessions {
  readonly #key: Uint8Array;
  readonly #lifeMs: number;

  /** Without a key a random one is made: its sessions are good on this node only. */
  constructor(key: string | undefined, lifeMs: number) {
    this.#key = key === undefined ? randomBytes(32) : new TextEncoder().encode(key);
    this.#lifeMs = lifeMs;
  }

  /** The value of `Mcp-Session-Id`: visible ASCII. */
  issue(owner: string, protocolVersion: string, capabilities: Readonly<Record<string, unknown>>): Promise<string> {
    return new SignJWT({ protocolVersion, capabilities })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(ISSUER)
      .setSubject(owner)
      .setJti(nanoid())
      .setExpirationTime(new Date(Date.now() + this.#lifeMs))
      .sign(this.#key);
  }

  /** Undefined when it is not a session of this owner. */
  async read(id: string, owner: string): Promise<LegacySession | undefined> {
    try {
      const { payload } = await jwtVerify(id, this.#key, { issuer: ISSUER, algorithms: ['HS256'], subject: owner });
      const session = LegacySession.safeParse(payload);
      return session.success ? session.data : undefined;
    } catch {
      return undefined;
    }
  }
}
