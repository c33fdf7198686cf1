/**
 * Chooses how requests are authenticated, from the configuration.
 *
 * Invariant: without authentication only the loopback interface is served.
 */
import { ServiceError } from '@taskstream/service-host';
import type { FrontEndConfig } from '../config.js';
import { loopbackAuthenticator, type Authenticator } from '../principal.js';
import { bearerAuthenticator } from './bearer.js';
import { jwtVerifier } from './jwt-verifier.js';
import { staticVerifier } from './static-verifier.js';

export const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource/mcp';

/** @throws ServiceError naming the key that is missing or invalid */
export function chooseAuthenticator(config: FrontEndConfig): Authenticator {
  try {
    switch (config.auth) {
      case 'none':
        return loopbackAuthenticator(config.host);
      case 'static':
        return bearerAuthenticator(staticVerifier(required(config.staticTokens, 'staticTokens')), undefined);
      case 'jwt':
        return bearerAuthenticator(
          jwtVerifier({
            jwksUrl: required(config.jwtJwksUrl, 'jwtJwksUrl'),
            issuer: required(config.jwtIssuer, 'jwtIssuer'),
            audience: required(config.publicUrl, 'publicUrl'),
          }),
          new URL(RESOURCE_METADATA_PATH, required(config.publicUrl, 'publicUrl')).href,
        );
    }
  } catch (error) {
    throw new ServiceError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The protected resource metadata of RFC 9728; undefined when tokens do not come from an authorization server. */
export function resourceMetadata(config: FrontEndConfig): Record<string, unknown> | undefined {
  if (config.auth !== 'jwt') return undefined;
  return {
    resource: config.publicUrl,
    authorization_servers: [config.jwtIssuer],
    bearer_methods_supported: ['header'],
    resource_name: 'taskstream',
  };
}

function required<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw new RangeError(`${key}: required by this kind of auth`);
  return value;
}
