/**
 * A pack as it lies in JetStream: its place in the stream and what its headers say.
 *
 * Invariant: a message that does not parse as one of ours is foreign; it is never guessed at.
 */
import type { AttemptFacts, Pack, Taken } from '@taskstream/core';
import { TaskStatus } from '@taskstream/protocol';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { FORMAT_VERSION, Header } from './names.js';

export interface StoredPack extends Pack, AttemptFacts {
  readonly streamSeq: number;
  readonly handedOver: boolean;
  readonly suspended: boolean;
  readonly taken: Taken;
  readonly writeId: string;
  /** Stream sequence of the latest status event's pack: this one's own when it holds it. */
  readonly statusAt: number;
}

/** What a writer puts into the headers. */
export interface PackHead extends AttemptFacts {
  readonly firstSeq: number;
  readonly count: number;
  readonly handedOver: boolean;
  readonly suspended: boolean;
  readonly taken: Taken;
  readonly writeId: string;
  /** Undefined when the pack itself holds the latest status event. */
  readonly statusAt: number | undefined;
}

export function encodeHead(head: PackHead): MsgHdrs {
  const h = headers();
  h.append(Header.version, FORMAT_VERSION);
  h.append(Header.seq, String(head.firstSeq));
  h.append(Header.count, String(head.count));
  h.append(Header.attempt, String(head.attempt));
  h.append(Header.write, head.writeId);
  h.append(Header.status, head.status);
  if (head.failures > 0) h.append(Header.failures, String(head.failures));
  if (head.runningItem !== undefined) {
    h.append(Header.item, head.runningItem);
    h.append(Header.delivery, String(head.runningDelivery));
  }
  if (head.handedOver) h.append(Header.handedOver, '1');
  if (head.suspended) h.append(Header.suspended, '1');
  if (head.taken.entry > 0) h.append(Header.taken, String(head.taken.entry));
  if (head.taken.paused) h.append(Header.paused, '1');
  if (head.statusAt !== undefined) h.append(Header.statusAt, String(head.statusAt));
  return h;
}

const DIGITS = /^\d{1,16}$/;

function count(text: string | undefined, min: number): number | undefined {
  if (text === undefined || !DIGITS.test(text)) return undefined;
  const n = Number(text);
  return Number.isSafeInteger(n) && n >= min ? n : undefined;
}

/** Undefined for a message that is not ours. */
export function decodePack(h: MsgHdrs | undefined, streamSeq: number, data: Uint8Array): StoredPack | undefined {
  if (h === undefined) return undefined;
  // All at once: each look-up by name in the client's headers walks all of them.
  const header = new Map<string, string | undefined>();
  for (const [name, values] of h) header.set(name, values[0]);
  if (header.get(Header.version) !== FORMAT_VERSION) return undefined;
  const firstSeq = count(header.get(Header.seq), 0);
  const events = count(header.get(Header.count), 1);
  const attempt = count(header.get(Header.attempt), 0);
  const failures = header.has(Header.failures) ? count(header.get(Header.failures), 0) : 0;
  const delivery = header.has(Header.delivery) ? count(header.get(Header.delivery), 0) : 0;
  const taken = header.has(Header.taken) ? count(header.get(Header.taken), 1) : 0;
  const statusAt = header.has(Header.statusAt) ? count(header.get(Header.statusAt), 1) : streamSeq;
  const status = TaskStatus.safeParse(header.get(Header.status));
  const writeId = header.get(Header.write);
  if (firstSeq === undefined || events === undefined || attempt === undefined || failures === undefined)
    return undefined;
  if (
    taken === undefined ||
    delivery === undefined ||
    statusAt === undefined ||
    !status.success ||
    !writeId ||
    streamSeq <= 0
  )
    return undefined;
  return {
    streamSeq,
    firstSeq,
    count: events,
    attempt,
    failures,
    runningItem: header.get(Header.item),
    runningDelivery: delivery,
    handedOver: header.get(Header.handedOver) === '1',
    suspended: header.get(Header.suspended) === '1',
    taken: { entry: taken, paused: header.get(Header.paused) === '1' },
    writeId,
    status: status.data,
    statusAt,
    data,
  };
}

/** A copy of the bytes when they would keep a much larger network buffer alive. (A Buffer's `slice` copies nothing.) */
export function compact(data: Uint8Array): Uint8Array {
  return data.byteLength * 2 < data.buffer.byteLength ? new Uint8Array(data) : data;
}
