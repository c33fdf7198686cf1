/**
 * Tokens that are listed in the configuration, for small set-ups.
 *
 * Invariant: tokens are compared by their digests in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { OAuthError, OAuthErrorCode, type AuthInfo, type OAuthTokenVerifier } from '@modelcontextprotocol/server';

/** The verifier requires an expiry; a listed token is good until the configuration changes. */
const FAR_FUTURE_S = 8_640_000_000_000;

/** `entries`: `owner:token` each. @throws RangeError naming the entry's place when it is not of that form */
export function staticVerifier(entries: readonly string[]): OAuthTokenVerifier {
  const known = entries.map((entry, i) => {
    const colon = entry.indexOf(':');
    if (colon < 1 || entry.length - colon - 1 < 16) {
      throw new RangeError(`staticTokens: entry ${i + 1}: expected owner:token with a token of at least 16 characters`);
    }
    return { owner: entry.slice(0, colon), digest: digestOf(entry.slice(colon + 1)) };
  });
  return {
    async verifyAccessToken(token): Promise<AuthInfo> {
      const digest = digestOf(token);
      let owner: string | undefined;
      for (const entry of known) if (timingSafeEqual(entry.digest, digest)) owner = entry.owner;
      if (owner === undefined) throw new OAuthError(OAuthErrorCode.InvalidToken, 'Invalid token');
      return { token: '', clientId: owner, scopes: [], expiresAt: FAR_FUTURE_S, extra: { owner } };
    },
  };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
