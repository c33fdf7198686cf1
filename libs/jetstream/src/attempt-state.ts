/**
 * The state of a task in the hands of one attempt: one subject a step and a checkpoint, written by compare-and-set.
 *
 * Invariants: of a step the first entry counts, for ever and for everybody; a checkpoint's newest entry counts, and an
 * attempt writes above its own or an older attempt's entry only; an entry whose ack was lost is recognised by its mark.
 */
import {
  decideCheckpoint,
  TaskstreamError,
  type AttemptState,
  type CheckpointDecision,
  type RecordedStep,
} from '@taskstream/core';
import type { StoredMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { nanoid } from 'nanoid';
import * as z from 'zod';
import type { TaskAddress } from './log-reads.js';
import { FORMAT_VERSION, Header, stateSubject } from './names.js';
import { classifyNatsError } from './nats-errors.js';
import type { StoreParts } from './task-store.js';
import { assertFormat } from './stored-format.js';
import { sleep } from './waiting.js';

/** The first line of an entry; the recorded JSON text is the second one, absent when there is none. */
const Entry = z.object({
  name: z.string(),
  attempt: z.int().positive(),
  version: z.string().optional(),
  tries: z.int().positive().optional(),
  ms: z.number().nonnegative().optional(),
});

interface StoredEntry extends z.infer<typeof Entry> {
  readonly streamSeq: number;
  readonly writeId: string;
  readonly json: string | undefined;
}

/** What lies under a subject. `last` is its last message, ours or not: what a compare-and-set must name. */
interface Found {
  readonly entry: StoredEntry | undefined;
  readonly last: number;
}

const NOTHING: Found = { entry: undefined, last: 0 };

export class JetStreamAttemptState implements AttemptState {
  readonly #parts: StoreParts;
  readonly #at: TaskAddress;
  readonly #attempt: number;
  /** Of each checkpoint, what this attempt knows to lie there. */
  readonly #checkpoints = new Map<string, Found>();
  readonly #removals = new Map<string, Promise<void>>();

  constructor(parts: StoreParts, at: TaskAddress, attempt: number) {
    this.#parts = parts;
    this.#at = at;
    this.#attempt = attempt;
  }

  async step(name: string): Promise<RecordedStep | undefined> {
    // Nobody can have recorded anything before the first attempt.
    if (this.#attempt === 1) return undefined;
    const subject = this.#subject('step', name);
    // An entry never changes: a replica that has it is right. That there is none, only the leader knows.
    const m = await this.#parts.reads.anyLastOf(this.#at.stream, subject);
    if (m === null) return undefined;
    const entry = this.#decode(m, name) ?? (await this.#walk(subject, name, 'first')).entry;
    return entry === undefined ? undefined : recordedStep(entry);
  }

  async recordStep(step: RecordedStep): Promise<{ recorded: RecordedStep; mine: boolean }> {
    const subject = this.#subject('step', step.name);
    const { json, ...meta } = step;
    const writeId = nanoid();
    for (let expected = 0; ;) {
      if ((await this.#put(subject, meta, json, expected, writeId)) !== undefined)
        return { recorded: step, mine: true };
      const { entry, last } = await this.#walk(subject, step.name, 'first');
      if (entry !== undefined) return { recorded: recordedStep(entry), mine: entry.writeId === writeId };
      expected = last;
    }
  }

  async takeCheckpoint(name: string): Promise<string | undefined> {
    for (;;) {
      const found = await this.#known(name);
      if (found.entry === undefined && this.#attempt === 1) return undefined;
      if (this.#decide(found) === 'own') return found.entry?.json;
      if (await this.#write(name, found, found.entry?.json)) return found.entry?.json;
    }
  }

  async saveCheckpoint(name: string, json: string): Promise<void> {
    for (;;) {
      const found = await this.#known(name);
      this.#decide(found);
      if (await this.#write(name, found, json)) return;
    }
  }

  /** @throws TaskstreamError fenced */
  #decide({ entry }: Found): CheckpointDecision {
    const decision = decideCheckpoint(entry?.attempt, this.#attempt);
    if (decision !== 'fenced') return decision;
    throw new TaskstreamError('fenced', `Attempt ${this.#attempt} of ${this.#at.taskId} has been taken over`, {
      details: { attempt: this.#attempt, byAttempt: entry?.attempt },
    });
  }

  async #known(name: string): Promise<Found> {
    const known = this.#checkpoints.get(name);
    if (known !== undefined) return known;
    const found = this.#attempt === 1 ? NOTHING : await this.#readLast(this.#subject('checkpoint', name), name);
    this.#checkpoints.set(name, found);
    return found;
  }

  /** False when something else lies there than was known: it is read again. */
  async #write(name: string, found: Found, json: string | undefined): Promise<boolean> {
    const subject = this.#subject('checkpoint', name);
    const meta = { name, attempt: this.#attempt };
    const writeId = nanoid();
    await this.#removals.get(name);
    const streamSeq = await this.#put(subject, meta, json, found.last, writeId);
    if (streamSeq === undefined) {
      this.#checkpoints.set(name, await this.#readLast(subject, name));
      return false;
    }
    this.#checkpoints.set(name, { entry: { ...meta, streamSeq, writeId, json }, last: streamSeq });
    if (found.entry !== undefined) this.#removals.set(name, this.#remove(found.entry.streamSeq));
    return true;
  }

  /** A checkpoint that is written over takes no space. What cannot be removed now ages out with the task. */
  async #remove(streamSeq: number): Promise<void> {
    await this.#parts.broker.jsm.streams.deleteMessage(this.#at.stream, streamSeq, false).catch(() => undefined);
  }

  async #readLast(subject: string, name: string): Promise<Found> {
    const m = await this.#parts.reads.lastOf(this.#at.stream, subject);
    if (m === null) return NOTHING;
    const entry = this.#decode(m, name);
    return entry === undefined ? this.#walk(subject, name, 'last') : { entry, last: m.seq };
  }

  /** Reads a subject from its beginning; needed only where something lies that is not ours. */
  async #walk(subject: string, name: string, which: 'first' | 'last'): Promise<Found> {
    let entry: StoredEntry | undefined;
    let last = 0;
    for (;;) {
      const m = await this.#parts.reads.nextOf(this.#at.stream, subject, last + 1);
      if (m === null) return { entry, last };
      last = m.seq;
      const decoded = this.#decode(m, name);
      if (decoded !== undefined && (which === 'last' || entry === undefined)) entry = decoded;
    }
  }

  #subject(kind: 'step' | 'checkpoint', name: string): string {
    return stateSubject(this.#at.place, this.#at.taskId, kind, name);
  }

  /** Resolves with the entry's stream sequence, with undefined when something else lies above what was expected. */
  async #put(
    subject: string,
    meta: z.input<typeof Entry>,
    json: string | undefined,
    expected: number,
    writeId: string,
  ): Promise<number | undefined> {
    const { broker, options, reads, fill } = this.#parts;
    const { stream, taskId } = this.#at;
    if (!fill.admits('event', stream)) throw new TaskstreamError('stream_full', `The stream ${stream} is nearly full`);
    const data = JSON.stringify(meta) + (json === undefined ? '' : `\n${json}`);
    const deadline = performance.now() + options.publishRetryMsMax;
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 250)) {
      const h = headers();
      h.set(Header.version, FORMAT_VERSION);
      h.set(Header.write, writeId);
      let failure: unknown;
      try {
        const ack = await broker.js.publish(subject, data, {
          headers: h,
          timeout: options.publishTimeoutMs,
          expect: { lastSubjectSequence: expected },
        });
        return ack.seq;
      } catch (error) {
        failure = error;
      }
      const fault = classifyNatsError(failure);
      if (fault === 'wrong_last') {
        const above = await reads.nextOf(stream, subject, expected + 1);
        if (above !== null) return above.header.get(Header.write) === writeId ? above.seq : undefined;
        // Nothing is there: a deposed leader has answered one of the two.
      } else if (fault === 'stream_full') {
        throw new TaskstreamError('stream_full', `The stream ${stream} is full`, { cause: failure });
      } else if (fault === 'too_large') {
        throw new TaskstreamError('payload_too_large', `The state of ${taskId} under ${meta.name} is too large`, {
          cause: failure,
        });
      } else if (fault !== 'transient' && fault !== 'unavailable') {
        throw failure;
      }
      if (performance.now() > deadline) {
        throw new TaskstreamError('log_unavailable', `The state of ${taskId} could not be written`, { cause: failure });
      }
      await sleep(fault === 'transient' ? 1 + Math.random() * 4 : waitMs);
    }
  }

  /** Undefined for what is not ours. @throws TaskstreamError format_unknown */
  #decode(m: StoredMsg, name: string): StoredEntry | undefined {
    assertFormat(m.header.get(Header.version), m.subject, m.seq);
    const writeId = m.header.get(Header.write);
    if (m.header.get(Header.version) === FORMAT_VERSION && writeId !== '') {
      const text = Buffer.from(m.data).toString('utf8');
      const end = text.indexOf('\n');
      const meta = Entry.safeParse(parseJson(end === -1 ? text : text.slice(0, end)));
      if (meta.success && meta.data.name === name) {
        return { ...meta.data, streamSeq: m.seq, writeId, json: end === -1 ? undefined : text.slice(end + 1) };
      }
    }
    this.#parts.onForeign(m.subject, m.seq);
    return undefined;
  }
}

function recordedStep(entry: StoredEntry): RecordedStep {
  const { name, version, attempt, tries = 1, ms = 0, json } = entry;
  return { name, version, attempt, tries, ms, json };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
