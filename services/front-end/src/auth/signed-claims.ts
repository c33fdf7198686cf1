/**
 * Short statements that this deployment signs for itself and reads back later, on any node.
 *
 * Invariants: one algorithm, one issuer per purpose, bound to an owner, with an expiry; nothing in a statement is
 * looked at before its signature is.
 */
import { randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { nanoid } from 'nanoid';

const ALGORITHM = 'HS256';

export class SignedClaims {
  readonly #issuer: string;
  readonly #key: Uint8Array;
  readonly #lifeMs: number;

  /** Without a key a random one is made: what it signs is good on this node only. */
  constructor(issuer: string, key: string | undefined, lifeMs: number) {
    this.#issuer = issuer;
    this.#key = key === undefined ? randomBytes(32) : new TextEncoder().encode(key);
    this.#lifeMs = lifeMs;
  }

  /** Visible ASCII, fit for a header. */
  sign(owner: string, claims: Readonly<Record<string, unknown>>): Promise<string> {
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM })
      .setIssuer(this.#issuer)
      .setSubject(owner)
      .setJti(nanoid())
      .setExpirationTime(new Date(Date.now() + this.#lifeMs))
      .sign(this.#key);
  }

  /** Undefined for what was not signed here for this owner and purpose, or has expired. */
  async read(text: string, owner: string): Promise<JWTPayload | undefined> {
    try {
      const options = { issuer: this.#issuer, algorithms: [ALGORITHM], subject: owner };
      return (await jwtVerify(text, this.#key, options)).payload;
    } catch {
      return undefined;
    }
  }
}
