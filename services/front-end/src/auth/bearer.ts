/**
 * Bearer tokens: who a request comes from, by a verifier, with the challenges that OAuth clients expect.
 *
 * Invariant: a token is never logged, stored or passed on; only the owner that it names is.
 */
import type { IncomingMessage } from 'node:http';
import { bearerAuthChallengeResponse, verifyBearerToken, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Authenticator, Challenge, Principal } from '../principal.js';

const Extra = z.looseObject({ owner: z.string().min(1) });

export function bearerAuthenticator(
  verifier: OAuthTokenVerifier,
  resourceMetadataUrl: string | undefined,
): Authenticator {
  const options = { verifier, ...(resourceMetadataUrl !== undefined && { resourceMetadataUrl }) };
  return {
    async authenticate(request: IncomingMessage): Promise<Principal | Challenge> {
      try {
        const info = await verifyBearerToken(request.headers.authorization, options);
        return { owner: Extra.parse(info.extra).owner };
      } catch (error) {
        const challenge = bearerAuthChallengeResponse(error, options);
        return {
          status: challenge.status,
          headers: Object.fromEntries(challenge.headers),
          body: await challenge.text(),
        };
      }
    },
  };
}
