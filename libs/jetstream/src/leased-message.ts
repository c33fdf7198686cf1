/**
 * A message that a pull consumer has leased to us, and what may be said about it to the server.
 *
 * Invariant: one final thing is said, and only an ack again, when it may not have been heard; an extension can be sent by
 * anybody who knows the ack subject, so that a lease can be kept by another thread.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node';

const PREFIX = '$JS.ACK.';
/** Extends a lease by its full length. */
export const EXTEND = '+WPI';
const NANOS_PER_MS = 1_000_000;

export class LeasedMessage {
  readonly subject: string;
  /** Where acknowledgements go. */
  readonly ackSubject: string;
  readonly streamSeq: number;
  /** From 1. */
  readonly delivery: number;
  readonly storedAtMs: number;
  readonly #nc: NatsConnection;
  /** The final thing that was said. */
  #said: 'ack' | 'other' | undefined;

  private constructor(nc: NatsConnection, m: Msg, ackSubject: string) {
    const tokens = ackSubject.split('.');
    // Newer servers put domain and account before the stream.
    const at = tokens.length === 9 ? 2 : 4;
    this.#nc = nc;
    this.subject = m.subject;
    this.ackSubject = ackSubject;
    this.delivery = Number(tokens[at + 2]);
    this.streamSeq = Number(tokens[at + 3]);
    this.storedAtMs = Math.floor(Number(tokens[at + 5]) / NANOS_PER_MS);
  }

  /** Undefined when the message is a word of the server about the pull itself. */
  static of(nc: NatsConnection, m: Msg): LeasedMessage | undefined {
    return m.reply?.startsWith(PREFIX) === true ? new LeasedMessage(nc, m, m.reply) : undefined;
  }

  extend(): void {
    if (this.#said === undefined) this.#nc.publish(this.ackSubject, EXTEND);
  }

  /** Resolves when the server has removed the message; may be called again when it did not answer. */
  async ack(timeoutMs: number): Promise<void> {
    if (this.#said === 'other') return;
    this.#said = 'ack';
    await this.#nc.request(this.ackSubject, '+ACK', { timeout: timeoutMs });
  }

  nak(delayMs: number): void {
    this.#say(delayMs > 0 ? `-NAK ${JSON.stringify({ delay: Math.round(delayMs) * NANOS_PER_MS })}` : '-NAK');
  }

  term(reason: string): void {
    this.#say(`+TERM ${reason}`);
  }

  #say(what: string): void {
    if (this.#said !== undefined) return;
    this.#said = 'other';
    this.#nc.publish(this.ackSubject, what);
  }
}

/** What the server says about a pull. */
export function statusOf(m: Msg): { code: number; description: string } {
  return { code: m.headers?.code ?? 0, description: m.headers?.description ?? '' };
}
