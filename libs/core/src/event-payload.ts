/**
 * What an event must be before it is queued: a vendor-prefixed type, an identity of the known members, a JSON object.
 *
 * Invariant: the JSON text is a snapshot: a tool may change its objects afterwards.
 */
import { describeIssues, EventIdentity, isVendorEventType, typeName } from '@taskstream/protocol';
import { TaskstreamError, type ErrorCode } from './errors.js';
import type { EventDraft } from './ports.js';

/**
 * The JSON text of an event's payload. `where` says who emits, for the message of an error.
 * @throws TaskstreamError invalid_event, payload_too_large
 */
export function encodePayload(event: EventDraft, payloadBytesMax: number, where: () => string): string {
  const { type, payload, identity } = event;
  if (typeof type !== 'string' || !isVendorEventType(type)) {
    const got = JSON.stringify(String(type).slice(0, 80));
    throw refuse(where, `type: expected a vendor-prefixed event type such as com.example.step, got ${got}`);
  }
  if (identity !== undefined) {
    const parsed = EventIdentity.safeParse(identity);
    if (!parsed.success) throw refuse(where, `identity of ${type}: ${describeIssues(parsed.error, identity)}`);
  }
  let json: string | undefined;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw refuse(where, `payload of ${type}: cannot be encoded as JSON`, 'invalid_event', error);
  }
  if (json === undefined || !json.startsWith('{')) {
    throw refuse(where, `payload of ${type}: expected a JSON object, got ${typeName(payload)}`);
  }
  if (event.coalesce === 'text' && typeof payload['text'] !== 'string') {
    const got = typeName(payload['text']);
    throw refuse(where, `payload of ${type}: text: expected string, for the type joins texts, got ${got}`);
  }
  if (json.length * 3 > payloadBytesMax) {
    const bytes = utf8Bytes(json);
    if (bytes > payloadBytesMax) {
      throw refuse(
        where,
        `payload of ${type}: ${bytes} bytes, at most ${payloadBytesMax} are allowed`,
        'payload_too_large',
      );
    }
  }
  return json;
}

function refuse(where: () => string, why: string, code: ErrorCode = 'invalid_event', cause?: unknown): TaskstreamError {
  return new TaskstreamError(code, `${where()}: ${why}`, { cause });
}

/** JSON text has no lone surrogates: two units that are surrogates are four bytes together. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) bytes += unit >= 0x8_00 && (unit < 0xd8_00 || unit > 0xdf_ff) ? 2 : 1;
  }
  return bytes;
}
