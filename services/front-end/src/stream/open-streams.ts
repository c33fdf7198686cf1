/**
 * The streams that are open on this node: counting them, keeping idle ones alive, ending them at shutdown.
 *
 * Invariants: one timer serves all streams; a stream is counted from before its first byte until its socket is done
 * with it; at most one stream per task and connection.
 */
import type { Socket } from 'node:net';
import type { FrontEndLimits } from '../config.js';
import type { LimitHit } from '@taskstream/core';
import type { StreamEndReason } from '@taskstream/protocol';

const TICK_MS = 1_000;
/** Between two streams that are ended at shutdown: a node with few streams is not long about it. */
const DRAIN_STEP_MS_MAX = 100;

/** A long response that is kept alive, rotated and drained with the others. Times are of `performance.now()`. */
export interface KeptAlive {
  readonly openedAt: number;
  readonly wroteAt: number;
  /** Around 1: streams that were opened together do not rotate together. */
  readonly ageFactor: number;
  heartbeat(): void;
  end(reason: StreamEndReason): void;
  destroy(): void;
}

/** A place for a stream; released when it is over. */
export interface StreamPlace {
  attach(writer: KeptAlive): void;
  release(): void;
}

export type Refusal = 'active' | 'owner_limit' | 'node_limit' | 'draining';

export class OpenStreams {
  readonly #limits: FrontEndLimits;
  readonly #writers = new Set<KeptAlive>();
  readonly #byOwner = new Map<string, number>();
  readonly #byConnection = new WeakMap<Socket, readonly string[]>();
  readonly #timer: NodeJS.Timeout;
  readonly #limitHit: LimitHit;
  #count = 0;
  #draining = false;

  /** `limitHit` is told which limit refused a place. */
  constructor(limits: FrontEndLimits, limitHit: LimitHit = () => undefined) {
    this.#limits = limits;
    this.#limitHit = limitHit;
    this.#timer = setInterval(() => this.#tick(), Math.min(TICK_MS, limits.heartbeatMs));
    this.#timer.unref();
  }

  get count(): number {
    return this.#count;
  }

  take(owner: string, taskId: string, connection: Socket): StreamPlace | Refusal {
    if (this.#draining) {
      this.#limitHit('draining');
      return 'draining';
    }
    const active = this.#byConnection.get(connection) ?? [];
    if (active.includes(taskId)) return 'active';
    const ofOwner = this.#byOwner.get(owner) ?? 0;
    if (ofOwner >= this.#limits.streamsPerOwnerMax) {
      this.#limitHit('streamsPerOwnerMax');
      return 'owner_limit';
    }
    if (this.#count >= this.#limits.streamsMax) {
      this.#limitHit('streamsMax');
      return 'node_limit';
    }
    this.#count++;
    this.#byOwner.set(owner, ofOwner + 1);
    this.#byConnection.set(connection, [...active, taskId]);
    let attached: KeptAlive | undefined;
    let released = false;
    return {
      attach: (writer) => {
        attached = writer;
        this.#writers.add(writer);
        if (this.#draining) writer.end('draining');
      },
      release: () => {
        if (released) return;
        released = true;
        this.#count--;
        const left = (this.#byOwner.get(owner) ?? 1) - 1;
        if (left === 0) this.#byOwner.delete(owner);
        else this.#byOwner.set(owner, left);
        const still = this.#byConnection.get(connection)?.filter((id) => id !== taskId) ?? [];
        this.#byConnection.set(connection, still);
        if (attached !== undefined) this.#writers.delete(attached);
      },
    };
  }

  #tick(): void {
    const now = performance.now();
    const { heartbeatMs, streamAgeMsMax } = this.#limits;
    for (const writer of this.#writers) {
      if (streamAgeMsMax > 0 && now - writer.openedAt > streamAgeMsMax * writer.ageFactor) writer.end('rotated');
      else if (now - writer.wroteAt >= heartbeatMs) writer.heartbeat();
    }
  }

  /**
   * Ends every stream, ten a second or faster if that takes longer than `drainSpreadMs`, and resolves when all are over
   * or `msMax` has passed.
   */
  async drain(msMax: number): Promise<void> {
    this.#draining = true;
    const writers = [...this.#writers];
    const stepMs = Math.min(DRAIN_STEP_MS_MAX, this.#limits.drainSpreadMs / Math.max(1, writers.length));
    // Not the first one at once: another node that leaves in the same moment must have stopped taking streams by then.
    writers.forEach((writer, i) => setTimeout(() => writer.end('draining'), (i + 1) * stepMs));
    const deadline = performance.now() + msMax;
    while (this.#count > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const writer of this.#writers) writer.destroy();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
