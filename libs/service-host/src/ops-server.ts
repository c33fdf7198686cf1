/**
 * `/livez`, `/readyz` and `/metrics` as a plain node handler, for a port of its own or inside another server.
 *
 * Invariants: liveness depends on nothing but this process; no answer may be cached.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ServiceError } from './errors.js';
import type { Readiness } from './health.js';

export const OPS_PATHS = ['/livez', '/readyz', '/metrics'] as const;

export type OpsHandler = (request: IncomingMessage, response: ServerResponse) => void;

export function createOpsHandler(parts: {
  readonly readiness: Readiness;
  readonly registry: Registry;
  readonly logger: Logger;
}): OpsHandler {
  const { readiness, registry, logger } = parts;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      sendJson(response, 405, { error: `Method ${request.method}: expected GET or HEAD` });
      return;
    }
    const [path, query] = (request.url ?? '/').split('?', 2);
    if (path === '/livez') sendJson(response, 200, { live: true });
    else if (path === '/readyz') {
      const state = readiness.state();
      sendJson(response, state.ready ? 200 : notReadyStatus(query), state);
    } else if (path === '/metrics') send(response, 200, registry.contentType, await registry.metrics());
    else sendJson(response, 404, { error: `Unknown path: expected one of ${OPS_PATHS.join(', ')}` });
  };

  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      logger.error(
        { err: error, path: request.url },
        'an operations request failed and was answered with 500; please report it with this line',
      );
      if (!response.headersSent) sendJson(response, 500, { error: 'The metrics could not be collected; see the log' });
    });
  };
}

/**
 * `/readyz?status=404`: how to say that it is not ready, for a load balancer that tells a node that wants no more
 * requests from one that is gone. 503 unless an error status is asked for.
 */
function notReadyStatus(query: string | undefined): number {
  const asked = new URLSearchParams(query).get('status');
  return asked !== null && /^[45]\d\d$/.test(asked) ? Number(asked) : 503;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

export interface OpsServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a port of its own; 0 takes a free one. Throws `ServiceError` when the port cannot be had. */
export async function startOpsServer(handler: OpsHandler, port: number, host: string): Promise<OpsServer> {
  const server = createServer(handler);
  try {
    server.listen({ port, host });
    await once(server, 'listening');
  } catch (error) {
    throw new ServiceError(`Cannot open the operations port ${port} on ${host}; set another one as opsPort`, {
      cause: error,
    });
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
