/**
 * JSON-RPC answers as whole HTTP responses, for requests that never reach the SDK.
 */
import type { ServerResponse } from 'node:http';
import type { WireError } from '@taskstream/protocol';

export type JsonRpcId = string | number | null;

export function replyError(response: ServerResponse, status: number, id: JsonRpcId, error: WireError): void {
  writeError(response, status, id, error);
  response.end();
}

/** The whole answer, without its end. */
export function writeError(response: ServerResponse, status: number, id: JsonRpcId, error: WireError): void {
  const body = JSON.stringify({ jsonrpc: '2.0', id, error });
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .write(body);
}

export function replyResult(response: ServerResponse, id: JsonRpcId, result: Readonly<Record<string, unknown>>): void {
  const body = JSON.stringify({ jsonrpc: '2.0', id, result });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
}
