/**
 * What a service says when it has waited for NATS in vain.
 */
import { maskCredentials } from './config.js';
import { ServiceError } from './errors.js';

/** For a first connection that did not come about within `connectMsMax`. Credentials in URLs are masked. */
export function natsUnreachable(
  config: { readonly natsUrl: readonly string[]; readonly connectMsMax: number },
  error: unknown,
): ServiceError {
  const where = config.natsUrl.map((url) => String(maskCredentials(url))).join(', ');
  const why = error instanceof Error ? String(maskCredentials(error.message)) : String(error);
  return new ServiceError(
    `NATS at ${where} took no connection within ${config.connectMsMax} ms: ${why}; check natsUrl, natsToken and the servers (their logs, their max_connections), or raise connectMsMax`,
    { cause: error },
  );
}
