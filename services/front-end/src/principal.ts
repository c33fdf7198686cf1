/**
 * Who a request comes from.
 *
 * Invariant: every task method, stream and view learns its owner here and nowhere else.
 */
import type { IncomingMessage } from 'node:http';

export interface Principal {
  /** What tasks are bound to. */
  readonly owner: string;
}

export interface Authenticator {
  /** Undefined when the request may not come in. */
  authenticate(request: IncomingMessage): Promise<Principal | undefined>;
}

/** The owner of everything on a node without authentication. */
export const LOCAL_OWNER = 'local';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Everybody who reaches the loopback interface is the same owner. @throws RangeError on any other interface */
export function loopbackAuthenticator(host: string): Authenticator {
  if (!LOOPBACK.has(host)) {
    throw new RangeError(`host: ${host} is not the loopback interface, where alone requests go without authentication`);
  }
  return { authenticate: async () => ({ owner: LOCAL_OWNER }) };
}
