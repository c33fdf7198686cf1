/**
 * `Mcp-Param-*` headers: arguments that a tool's schema mirrors into headers, checked against the body.
 * 2026-07-28 Streamable HTTP §Server Validation. The SDK checks them only in its high-level server.
 *
 * Invariants: a declared argument that the body carries must come in its header too, with the same value; a header
 * without a declaration is ignored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ToolDefinition } from '@taskstream/core';
import { headerMismatch, type WireError } from '@taskstream/protocol';
import { decodeHeaderValue } from './mcp-headers.js';

interface Declaration {
  readonly path: readonly string[];
  readonly header: string;
  readonly numeric: boolean;
}

const DECLARATION_KEY = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PRIMITIVES = new Set(['string', 'integer', 'boolean']);

/** Undefined when headers and arguments agree. */
export function paramHeaderProblem(
  tool: ToolDefinition,
  args: unknown,
  headers: IncomingHttpHeaders,
): WireError | undefined {
  for (const { path, header, numeric } of declarationsIn(tool.inputSchema, [])) {
    const value = valueAt(args, path);
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    const name = `mcp-param-${header.toLowerCase()}`;
    const sent = headers[name];
    const raw = Array.isArray(sent) ? sent[0] : sent;
    if (raw === undefined)
      return headerMismatch(`Bad Request: arguments.${path.join('.')} needs its header Mcp-Param-${header}`);
    const decoded = decodeHeaderValue(raw);
    if (decoded === undefined) return headerMismatch(`Bad Request: the header Mcp-Param-${header} is not valid base64`);
    const same =
      numeric && typeof value === 'number' ? decoded !== '' && Number(decoded) === value : decoded === String(value);
    if (!same)
      return headerMismatch(`Bad Request: the header Mcp-Param-${header} differs from arguments.${path.join('.')}`);
  }
  return undefined;
}

/** Declarations on properties that are reachable through `properties` alone. */
function declarationsIn(schema: unknown, path: readonly string[]): Declaration[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const node = schema as Record<string, unknown>;
  const header = node[DECLARATION_KEY];
  const own: Declaration[] =
    path.length > 0 && typeof header === 'string' && TOKEN.test(header) && PRIMITIVES.has(String(node['type']))
      ? [{ path, header, numeric: node['type'] === 'integer' }]
      : [];
  const properties = node['properties'];
  if (typeof properties !== 'object' || properties === null) return own;
  return own.concat(...Object.entries(properties).map(([key, child]) => declarationsIn(child, [...path, key])));
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  let at = root;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
