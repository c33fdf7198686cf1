/**
 * A pack as it lies in JetStream: its place in the stream and what its headers say.
 *
 * Invariant: a message that does not parse as one of ours is foreign; it is never guessed at.
 */
import type { AttemptFacts, Pack } from '@taskstream/core';
import { TaskStatus } from '@taskstream/protocol';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { FORMAT_VERSION, Header } from './names.js';

export interface StoredPack extends Pack, AttemptFacts {
  readonly streamSeq: number;
  readonly handedOver: boolean;
  readonly writeId: string;
  /** Stream sequence of the latest status event's pack: this one's own when it holds it. */
  readonly statusAt: number;
}

/** What a writer puts into the headers. */
export interface PackHead extends AttemptFacts {
  readonly firstSeq: number;
  readonly count: number;
  readonly handedOver: boolean;
  readonly writeId: string;
  /** Undefined when the pack itself holds the latest status event. */
  readonly statusAt: number | undefined;
}

export function encodeHead(head: PackHead): MsgHdrs {
  const h = headers();
  h.set(Header.version, FORMAT_VERSION);
  h.set(Header.seq, String(head.firstSeq));
  h.set(Header.count, String(head.count));
  h.set(Header.attempt, String(head.attempt));
  h.set(Header.write, head.writeId);
  h.set(Header.status, head.status);
  if (head.failures > 0) h.set(Header.failures, String(head.failures));
  if (head.runningItem !== undefined) {
    h.set(Header.item, head.runningItem);
    h.set(Header.delivery, String(head.runningDelivery));
  }
  if (head.handedOver) h.set(Header.handedOver, '1');
  if (head.statusAt !== undefined) h.set(Header.statusAt, String(head.statusAt));
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
  if (h === undefined || h.get(Header.version) !== FORMAT_VERSION) return undefined;
  const firstSeq = count(h.get(Header.seq), 0);
  const events = count(h.get(Header.count), 1);
  const attempt = count(h.get(Header.attempt), 0);
  const failures = h.has(Header.failures) ? count(h.get(Header.failures), 0) : 0;
  const delivery = h.has(Header.delivery) ? count(h.get(Header.delivery), 0) : 0;
  const statusAt = h.has(Header.statusAt) ? count(h.get(Header.statusAt), 1) : streamSeq;
  const status = TaskStatus.safeParse(h.get(Header.status));
  const writeId = h.get(Header.write);
  if (firstSeq === undefined || events === undefined || attempt === undefined || failures === undefined)
    return undefined;
  if (delivery === undefined || statusAt === undefined || !status.success || !writeId || streamSeq <= 0)
    return undefined;
  return {
    streamSeq,
    firstSeq,
    count: events,
    attempt,
    failures,
    runningItem: h.has(Header.item) ? h.get(Header.item) : undefined,
    runningDelivery: delivery,
    handedOver: h.get(Header.handedOver) === '1',
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
