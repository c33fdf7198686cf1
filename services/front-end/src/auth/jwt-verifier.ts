/**
 * Access tokens that are JWTs, checked against the issuer's published keys.
 *
 * Invariants: issuer, audience, expiry and an asymmetric algorithm are required; an owner is a subject of an issuer.
 */
import { OAuthError, OAuthErrorCode, type AuthInfo, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

export interface JwtOptions {
  readonly jwksUrl: string;
  readonly issuer: string;
  readonly audience: string;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export function jwtVerifier(options: JwtOptions): OAuthTokenVerifier {
  const keys = createRemoteJWKSet(new URL(options.jwksUrl), { timeoutDuration: 5_000, cooldownDuration: 10_000 });
  return {
    async verifyAccessToken(token): Promise<AuthInfo> {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: options.issuer,
          audience: options.audience,
          algorithms: ALGORITHMS,
          requiredClaims: ['sub', 'exp'],
        });
        const subject = payload.sub as string;
        return {
          token: '',
          clientId: subject,
          scopes: typeof payload['scope'] === 'string' ? payload['scope'].split(' ') : [],
          expiresAt: payload.exp as number,
          extra: { owner: `${options.issuer}|${subject}` },
        };
      } catch (error) {
        const known = error instanceof errors.JOSEError;
        throw new OAuthError(OAuthErrorCode.InvalidToken, known ? `Invalid token: ${error.code}` : 'Invalid token');
      }
    },
  };
}
