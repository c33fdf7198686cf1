/**
 * JSON-RPC errors as whole HTTP responses, for requests that never reach the SDK.
 */
import type { ServerResponse } from 'node:http';
import type { WireError } from '@taskstream/protocol';

export type JsonRpcId = string | number | null;

export function replyError(response: ServerResponse, status: number, id: JsonRpcId, error: WireError): void {
  const body = JSON.stringify({ jsonrpc: '2.0', id, error });
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body);
}
