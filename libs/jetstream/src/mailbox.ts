/**
 * The mailbox of a task: commands that front ends number by compare-and-set and the running attempt follows.
 *
 * Invariants: an entry is written once and numbered without gaps; a reader hands out every entry once and in order,
 * also when the live hop loses one; the mailbox refuses near its cap instead of losing its oldest entries.
 */
import { TaskstreamError, type LimitHit, type MailboxCommand, type MailboxEntry } from '@taskstream/core';
import type { StoredMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import * as z from 'zod';
import type { Broker } from './broker.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import { cmdSubject, FORMAT_VERSION, Header, liveSubject } from './names.js';
import { classifyNatsError } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { assertFormat } from './stored-format.js';
import { sleep, sleepOrAbort } from './waiting.js';

const Command = z.discriminatedUnion('type', [
  z.object({ type: z.literal('cancel'), reason: z.string().optional() }),
  z.object({ type: z.literal('input'), key: z.string(), response: z.unknown() }),
  z.object({ type: z.literal('steer'), message: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
  z.object({ type: z.literal('pause') }),
  z.object({ type: z.literal('resume') }),
]);

type OnCommand = (command: MailboxCommand, entry: MailboxEntry) => void;

export class Mailbox {
  readonly #broker: Broker;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  readonly #onForeign: (subject: string, streamSeq: number) => void;
  readonly #limitHit: LimitHit;

  constructor(
    broker: Broker,
    reads: LogReads,
    options: StoreOptions,
    onForeign: (subject: string, streamSeq: number) => void,
    limitHit: LimitHit = () => undefined,
  ) {
    this.#broker = broker;
    this.#reads = reads;
    this.#options = options;
    this.#onForeign = onForeign;
    this.#limitHit = limitHit;
  }

  /** @throws TaskstreamError mailbox_full, payload_too_large, log_unavailable, stream_full, format_unknown */
  async send(at: TaskAddress, command: MailboxCommand): Promise<void> {
    const subject = cmdSubject(at.place, at.taskId);
    const data = JSON.stringify(command);
    const { mailboxEntriesMax, steerEntriesMax, steerBytesMax } = this.#options;
    const answers = command.type === 'input' || command.type === 'cancel';
    const entriesMax = answers ? mailboxEntriesMax : Math.min(steerEntriesMax, mailboxEntriesMax);
    if (!answers && Buffer.byteLength(data) > steerBytesMax) {
      this.#limitHit('steerBytesMax');
      throw new TaskstreamError('payload_too_large', `A steer may have ${steerBytesMax} bytes as JSON`);
    }
    const writeId = crypto.randomUUID();
    const deadline = performance.now() + this.#options.publishRetryMsMax;
    for (;;) {
      const last = await this.#tail(at, subject);
      const entry = last.entry + 1;
      if (entry > entriesMax) {
        this.#limitHit(answers ? 'mailboxEntriesMax' : 'steerEntriesMax');
        throw new TaskstreamError('mailbox_full', `The mailbox of ${at.taskId} holds ${entry - 1} commands`);
      }
      const h = headers();
      h.set(Header.version, FORMAT_VERSION);
      h.set(Header.entry, String(entry));
      h.set(Header.write, writeId);
      try {
        await this.#broker.js.publish(subject, data, {
          headers: h,
          timeout: this.#options.publishTimeoutMs,
          expect: { lastSubjectSequence: last.streamSeq },
        });
        return;
      } catch (error) {
        const fault = classifyNatsError(error);
        if (fault === 'stream_full')
          throw new TaskstreamError('stream_full', `The stream ${at.stream} is full`, { cause: error });
        if (fault === 'too_large') {
          this.#limitHit('messageBytesMax');
          throw new TaskstreamError('payload_too_large', `A command to ${at.taskId} is too large`, { cause: error });
        }
        if (fault !== 'wrong_last' && fault !== 'transient' && fault !== 'unavailable') throw error;
        if (performance.now() > deadline) {
          throw new TaskstreamError('log_unavailable', `The mailbox of ${at.taskId} did not answer`, { cause: error });
        }
        // Had it landed, it would be the first entry above what it expected.
        const above = await this.#reads.nextOf(at.stream, subject, last.streamSeq + 1);
        if (above?.header.get(Header.write) === writeId) return;
        await sleep(fault === 'unavailable' ? 50 : 1 + Math.random() * 4);
      }
    }
  }

  /** The last message of a mailbox, and the number of its last entry. They differ when the last message is not ours. */
  async #tail(at: TaskAddress, subject: string): Promise<{ streamSeq: number; entry: number }> {
    const last = await this.#reads.lastOf(at.stream, subject);
    if (last === null) return { streamSeq: 0, entry: 0 };
    let entry = entryOf(last);
    if (entry !== undefined) return { streamSeq: last.seq, entry };
    for (let m = await this.#reads.nextOf(at.stream, subject, 1); m !== null && m.seq < last.seq;) {
      entry = entryOf(m) ?? entry;
      m = await this.#reads.nextOf(at.stream, subject, m.seq + 1);
    }
    return { streamSeq: last.seq, entry: entry ?? 0 };
  }

  /** Hands out every entry from the first on, until the signal aborts. Resolves once the existing ones are handed out. */
  async follow(at: TaskAddress, onCommand: OnCommand, signal: AbortSignal): Promise<void> {
    const subject = cmdSubject(at.place, at.taskId);
    let position = 1;
    let reading: Promise<void> | undefined;
    let again = false;
    const readOn = async () => {
      for (;;) {
        const m = await this.#reads.nextOf(at.stream, subject, position);
        if (m === null || signal.aborted) return;
        position = m.seq + 1;
        this.#hand(m, subject, onCommand);
      }
    };
    const catchUp = (): Promise<void> => {
      again = true;
      reading ??= (async () => {
        try {
          while (again && !signal.aborted) {
            again = false;
            await readOn();
          }
        } finally {
          reading = undefined;
        }
      })();
      return reading;
    };
    // A live entry only says that there is something to read: the log gives it, in order.
    const live = this.#broker.nc.subscribe(liveSubject(subject), {
      callback: () => void catchUp().catch(ignoreUntilCheck),
    });
    const off = this.#broker.onDisturbance(() => void catchUp().catch(ignoreUntilCheck));
    signal.addEventListener('abort', () => {
      live.unsubscribe();
      off();
    });
    await this.#broker.nc.flush();
    await catchUp();
    void (async () => {
      while (!signal.aborted) {
        await sleepOrAbort(this.#options.mailboxCheckMs, signal);
        if (!signal.aborted) await catchUp().catch(ignoreUntilCheck);
      }
    })();
  }

  /** Hands out what is there now, from the first entry on. */
  async read(at: TaskAddress, onCommand: OnCommand): Promise<void> {
    const subject = cmdSubject(at.place, at.taskId);
    for (let m = await this.#reads.nextOf(at.stream, subject, 1); m !== null;) {
      this.#hand(m, subject, onCommand);
      m = await this.#reads.nextOf(at.stream, subject, m.seq + 1);
    }
  }

  #hand(m: StoredMsg, subject: string, onCommand: OnCommand): void {
    let json: unknown;
    try {
      json = JSON.parse(Buffer.from(m.data).toString('utf8'));
    } catch {
      json = undefined;
    }
    const command = Command.safeParse(json);
    const number = entryOf(m);
    if (command.success && number !== undefined) onCommand(command.data, { number, sentAt: m.time.toISOString() });
    else this.#onForeign(subject, m.seq);
  }
}

/** Undefined when the message is not ours. @throws TaskstreamError format_unknown */
function entryOf(m: StoredMsg): number | undefined {
  assertFormat(m.header.get(Header.version), m.subject, m.seq);
  const entry = Number(m.header.get(Header.entry));
  return m.header.get(Header.version) === FORMAT_VERSION && Number.isSafeInteger(entry) && entry > 0
    ? entry
    : undefined;
}

/** The periodic check reads the same entries again. */
function ignoreUntilCheck(): void {}
