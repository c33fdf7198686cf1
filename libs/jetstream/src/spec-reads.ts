/**
 * Reads specs, with a cache: a spec never changes until its task is removed.
 *
 * Invariants: absence is never cached and is confirmed with the leader; the first message that is a spec is the spec,
 * whatever was put above it; a spec of a later version is refused, not taken for absent.
 */
import { TaskSpec } from '@taskstream/core';
import type { StoredMsg } from '@nats-io/jetstream';
import * as z from 'zod';
import { assertFormat } from './stored-format.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import { Header, specSubject } from './names.js';
import { SharedReads } from './shared-reads.js';

/** What any version of a spec says. */
const Versioned = z.looseObject({ v: z.int(), taskId: z.string() });

export class SpecReads {
  readonly #reads: LogReads;
  readonly #cacheMax: number;
  readonly #onForeign: (subject: string, streamSeq: number) => void;
  readonly #cache = new Map<string, TaskSpec>();
  readonly #reading = new SharedReads<TaskSpec>();

  constructor(reads: LogReads, cacheMax: number, onForeign: (subject: string, streamSeq: number) => void) {
    this.#reads = reads;
    this.#cacheMax = cacheMax;
    this.#onForeign = onForeign;
  }

  async read(at: TaskAddress): Promise<TaskSpec | undefined> {
    const cached = this.#cache.get(at.taskId);
    if (cached !== undefined) return cached;
    return this.#reading.get(at.taskId, () => this.#readNow(at));
  }

  async #readNow(at: TaskAddress): Promise<TaskSpec | undefined> {
    const subject = specSubject(at.place, at.taskId);
    const m = await this.#reads.anyLastOf(at.stream, subject);
    const spec = m === null ? undefined : (this.#parse(at, m) ?? (await this.#firstOf(at, subject))?.spec);
    if (spec !== undefined) {
      // The oldest entry goes: insertion order is good enough for a cache of immutable records.
      if (this.#cache.size >= this.#cacheMax) this.#cache.delete(this.#cache.keys().next().value as string);
      this.#cache.set(at.taskId, spec);
    }
    return spec;
  }

  /** After a task was removed. */
  forget(taskId: string): void {
    this.#cache.delete(taskId);
  }

  /** When removals may have been missed. */
  forgetAll(): void {
    this.#cache.clear();
  }

  /** The spec as the leader has it, with the id of the write that made it. */
  async readFresh(at: TaskAddress): Promise<{ spec: TaskSpec; writeId: string } | undefined> {
    return this.#firstOf(at, specSubject(at.place, at.taskId));
  }

  async #firstOf(at: TaskAddress, subject: string): Promise<{ spec: TaskSpec; writeId: string } | undefined> {
    for (let position = 1; ;) {
      const m = await this.#reads.nextOf(at.stream, subject, position);
      if (m === null) return undefined;
      const spec = this.#parse(at, m);
      if (spec !== undefined) return { spec, writeId: m.header.get(Header.write) };
      position = m.seq + 1;
    }
  }

  #parse(at: TaskAddress, m: StoredMsg): TaskSpec | undefined {
    let json: unknown;
    try {
      json = JSON.parse(m.string());
    } catch {
      json = undefined;
    }
    const spec = TaskSpec.safeParse(json);
    if (spec.success && spec.data.taskId === at.taskId) return spec.data;
    assertFormat(m.header.get(Header.version), m.subject, m.seq);
    const other = Versioned.safeParse(json);
    if (other.success && other.data.taskId === at.taskId) assertFormat(String(other.data.v), m.subject, m.seq);
    this.#onForeign(m.subject, m.seq);
    return undefined;
  }
}
