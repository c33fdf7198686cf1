/**
 * Sessions of revision 2025-11-25 and older: signed, self-contained ids, so that any node knows a client's
 * capabilities and nothing is stored.
 *
 * Invariants: an id that this deployment did not sign, or that has expired, or that belongs to another owner is no
 * session; the key is shared by all front ends.
 */
import * as z from 'zod';
import { SignedClaims } from '../auth/signed-claims.js';

export const LegacySession = z.object({
  jti: z.string(),
  sub: z.string(),
  protocolVersion: z.string(),
  capabilities: z.record(z.string(), z.unknown()),
});
export type LegacySession = z.infer<typeof LegacySession>;

export class Sessions {
  readonly #claims: SignedClaims;

  constructor(key: string | undefined, lifeMs: number) {
    this.#claims = new SignedClaims('taskstream', key, lifeMs);
  }

  /** The value of `Mcp-Session-Id`. */
  issue(owner: string, protocolVersion: string, capabilities: Readonly<Record<string, unknown>>): Promise<string> {
    return this.#claims.sign(owner, { protocolVersion, capabilities });
  }

  /** Undefined when it is not a session of this owner. */
  async read(id: string, owner: string): Promise<LegacySession | undefined> {
    const session = LegacySession.safeParse(await this.#claims.read(id, owner));
    return session.success ? session.data : undefined;
  }
}
