/**
 * Exported events: NDJSON, one event's params a line, byte for byte as the server sent them.
 *
 * Invariants: no more than one line and one piece of input are held; a line that is too long is named and skipped, not
 * held; what is not JSON is handed on as what it is, never thrown.
 */
import type { TaskEvent } from '@taskstream/protocol';
import type { FollowItem } from '../api.js';
import { isEvent } from './transcript-event.js';

export type TextPieces = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

export type EventLine =
  /** `value` is the parsed JSON. `ended`: a line break follows. */
  | {
      readonly is: 'json';
      readonly line: number;
      readonly text: string;
      readonly value: unknown;
      readonly ended: boolean;
    }
  | { readonly is: 'not-json'; readonly line: number; readonly ended: boolean }
  | { readonly is: 'not-utf8'; readonly line: number; readonly ended: boolean }
  | { readonly is: 'too-long'; readonly line: number; readonly ended: boolean };

export const LINE_BYTES_MAX = 16 * 1024 * 1024;
const LINE_BREAK = 10;

/** Every line with its number, from 1. */
export async function* readEventLines(
  pieces: TextPieces,
  options: { readonly lineBytesMax?: number } = {},
): AsyncGenerator<EventLine, undefined, undefined> {
  const lineBytesMax = options.lineBytesMax ?? LINE_BYTES_MAX;
  const encoder = new TextEncoder();
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let line = 1;
  const take = (part: Uint8Array): void => {
    heldBytes += part.length;
    if (heldBytes <= lineBytesMax) held.push(part);
    else held = [];
  };
  const finish = (ended: boolean): EventLine => {
    const read = heldBytes > lineBytesMax ? ({ is: 'too-long', line, ended } as const) : parse(held, line, ended);
    held = [];
    heldBytes = 0;
    line += 1;
    return read;
  };
  for await (const piece of pieces) {
    let rest = typeof piece === 'string' ? encoder.encode(piece) : piece;
    for (let at = rest.indexOf(LINE_BREAK); at >= 0; at = rest.indexOf(LINE_BREAK)) {
      take(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
      yield finish(true);
    }
    // A copy: the source may use its buffer again.
    if (rest.length > 0) take(rest.slice());
  }
  if (heldBytes > 0) yield finish(false);
}

function parse(parts: readonly Uint8Array[], line: number, ended: boolean): EventLine {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for (const part of parts) text += decoder.decode(part, { stream: true });
    text += decoder.decode();
  } catch {
    return { is: 'not-utf8', line, ended };
  }
  try {
    return { is: 'json', line, text, value: JSON.parse(text) as unknown, ended };
  } catch {
    return { is: 'not-json', line, ended };
  }
}

/** The line of a followed event. The follow must have been asked for `raw`; throws `TypeError` otherwise. */
export function eventLine(item: Extract<FollowItem, { type: 'event' }>): string {
  if (item.raw === undefined) throw new TypeError('eventLine: expected an event with raw, follow with raw: true');
  return `${item.raw}\n`;
}

/** The events of an export; what is not an event is left out and told to `onBadLine`. */
export async function* importEvents(
  pieces: TextPieces,
  onBadLine: (line: number) => void = () => undefined,
): AsyncGenerator<TaskEvent, undefined, undefined> {
  for await (const read of readEventLines(pieces)) {
    if (read.is === 'json' && isEvent(read.value)) yield read.value;
    else onBadLine(read.line);
  }
}
