/**
 * Values of the headers that mirror the body: `Mcp-Name` and `Mcp-Param-*`. 2026-07-28 Streamable HTTP §Request Metadata.
 *
 * Invariants: a value that a header cannot carry as it is goes as Base64 between the markers; what looks like an
 * encoded value is encoded too, so that decoding is never ambiguous.
 */
import { isObject, type JsonObject } from './shape.js';

const PREFIX = '=?base64?';
const SUFFIX = '?=';
/** Visible ASCII, with spaces and tabs inside only. */
const PLAIN = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/;
/** RFC 9110 §5.6.2 token. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Deeper schemas are refused. */
const SCHEMA_DEPTH_MAX = 64;
/** Keywords whose values are data, not schemas. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples']);
/** Keywords whose values are maps from names to schemas. */
const MAP_KEYWORDS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);

/** The header value for a string. */
export function encodeHeaderValue(value: string): string {
  const looksEncoded = value.startsWith(PREFIX) && value.endsWith(SUFFIX);
  if (PLAIN.test(value) && !looksEncoded) return value;
  let bytes = '';
  for (const byte of new TextEncoder().encode(value)) bytes += String.fromCharCode(byte);
  return PREFIX + btoa(bytes) + SUFFIX;
}

/** A parameter that is mirrored: where it lies in the arguments, and the full name of its header. */
export interface MirroredParam {
  readonly path: readonly string[];
  readonly header: string;
}

export type MirroredParams =
  | { readonly ok: true; readonly params: readonly MirroredParam[] }
  | { readonly ok: false; readonly reason: string };

/** The `x-mcp-header` annotations of a tool's input schema, or why they are not valid. */
export function mirroredParams(inputSchema: JsonObject): MirroredParams {
  const params: MirroredParam[] = [];
  const reason = visit(inputSchema, [], 0, params);
  return reason === undefined ? { ok: true, params } : { ok: false, reason };
}

/** Walks a schema; `path` is undefined where no annotation is allowed. Gives the first problem. */
function visit(
  node: unknown,
  path: readonly string[] | undefined,
  depth: number,
  found: MirroredParam[],
): string | undefined {
  if (depth > SCHEMA_DEPTH_MAX) return `the schema is deeper than ${SCHEMA_DEPTH_MAX} levels`;
  if (Array.isArray(node)) return first(node, (child) => visit(child, undefined, depth + 1, found));
  if (!isObject(node)) return undefined;
  const problem = 'x-mcp-header' in node ? annotate(node, path, found) : undefined;
  if (problem !== undefined) return problem;
  return first(Object.entries(node), ([key, value]) => {
    if (DATA_KEYWORDS.has(key)) return undefined;
    if (!MAP_KEYWORDS.has(key) || !isObject(value)) return visit(value, undefined, depth + 1, found);
    const reached = key === 'properties' ? path : undefined;
    return first(Object.entries(value), ([name, child]) =>
      visit(child, reached && [...reached, name], depth + 1, found),
    );
  });
}

function first<T>(items: readonly T[], problemOf: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = problemOf(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function annotate(node: JsonObject, path: readonly string[] | undefined, found: MirroredParam[]): string | undefined {
  const name = node['x-mcp-header'];
  if (typeof name !== 'string' || !TOKEN.test(name)) return 'an x-mcp-header is not a header name';
  if (path === undefined || path.length === 0) return `x-mcp-header ${name} is not on a plain property`;
  const types = (Array.isArray(node['type']) ? node['type'] : [node['type']]).filter((type) => type !== 'null');
  if (types.length !== 1 || !['string', 'integer', 'boolean'].includes(String(types[0]))) {
    return `x-mcp-header ${name} is on a property that is not a string, an integer or a boolean`;
  }
  const header = `mcp-param-${name.toLowerCase()}`;
  if (found.some((param) => param.header === header)) return `x-mcp-header ${name} is used twice`;
  found.push({ path, header });
  return undefined;
}

/** The `Mcp-Param-*` headers of one call; values that are absent or null have none. */
export function paramHeaders(params: readonly MirroredParam[], args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { path, header } of params) {
    let value: unknown = args;
    for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    const mirrored = typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
    if (mirrored) headers[header] = encodeHeaderValue(String(value));
  }
  return headers;
}
