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

/** What a request that may not come in is answered with. */
export interface Challenge {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function isChallenge(who: Principal | Challenge): who is Challenge {
  return 'status' in who;
}

export interface Authenticator {
  authenticate(request: IncomingMessage): Promise<Principal | Challenge>;
}

/** The owner of everything on a node without authentication. */
export const LOCAL_OWNER = 'local';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Everybody who reaches the loopback interface is the same owner. @throws RangeError on any other interface */
export function loopbackAuthenticator(host: string): Authenticator {
  if (!LOOPBACK.has(host)) {
    throw new RangeError(`host: ${host} is not the loopback interface; requests there need auth: jwt or static`);
  }
  return { authenticate: async () => ({ owner: LOCAL_OWNER }) };
}
