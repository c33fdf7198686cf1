/**
 * Reads specs, with a cache: a spec never changes.
 *
 * Invariant: absence is never cached and is confirmed with the leader.
 */
import { TaskSpec } from '@taskstream/core';
import type { StoredMsg } from '@nats-io/jetstream';
import type { LogReads, TaskAddress } from './log-reads.js';
import { Header, specSubject } from './names.js';

export class SpecReads {
  readonly #reads: LogReads;
  readonly #cacheMax: number;
  readonly #onForeign: (subject: string, streamSeq: number) => void;
  readonly #cache = new Map<string, TaskSpec>();

  constructor(reads: LogReads, cacheMax: number, onForeign: (subject: string, streamSeq: number) => void) {
    this.#reads = reads;
    this.#cacheMax = cacheMax;
    this.#onForeign = onForeign;
  }

  async read(at: TaskAddress): Promise<TaskSpec | undefined> {
    const cached = this.#cache.get(at.taskId);
    if (cached !== undefined) return cached;
    const m = await this.#reads.anyLastOf(at.stream, specSubject(at.place, at.taskId));
    const spec = m === null ? undefined : this.#parse(at, m);
    if (spec !== undefined) {
      // The oldest entry goes: insertion order is good enough for a cache of immutable records.
      if (this.#cache.size >= this.#cacheMax) this.#cache.delete(this.#cache.keys().next().value as string);
      this.#cache.set(at.taskId, spec);
    }
    return spec;
  }

  /** The spec as the leader has it, with the id of the write that made it. */
  async readFresh(at: TaskAddress): Promise<{ spec: TaskSpec; writeId: string } | undefined> {
    const m = await this.#reads.lastOf(at.stream, specSubject(at.place, at.taskId));
    if (m === null) return undefined;
    const spec = this.#parse(at, m);
    return spec === undefined ? undefined : { spec, writeId: m.header.get(Header.write) };
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
    this.#onForeign(m.subject, m.seq);
    return undefined;
  }
}
