/**
 * How full each stream is, as far as this node knows, and what it therefore still accepts.
 *
 * Invariant: a question never waits; the answer is at most `FILL_REFRESH_MS` old while questions are asked.
 */
import { admits, type LimitHit, type WriteKind } from '@taskstream/core';
import type { Broker } from './broker.js';

const FILL_REFRESH_MS = 2_000;

interface Fill {
  bytesUsed: number;
  bytesMax: number;
  readAt: number;
  reading: boolean;
}

export class StreamFill {
  readonly #broker: Broker;
  readonly #limitHit: LimitHit;
  readonly #fills = new Map<string, Fill>();

  constructor(broker: Broker, limitHit: LimitHit = () => undefined) {
    this.#broker = broker;
    this.#limitHit = limitHit;
  }

  admits(kind: WriteKind, stream: string): boolean {
    let fill = this.#fills.get(stream);
    if (fill === undefined) {
      fill = { bytesUsed: 0, bytesMax: -1, readAt: 0, reading: false };
      this.#fills.set(stream, fill);
    }
    if (!fill.reading && performance.now() - fill.readAt > FILL_REFRESH_MS) void this.#refresh(stream, fill);
    const admitted = admits(kind, fill.bytesUsed, fill.bytesMax);
    if (!admitted) this.#limitHit('streamBytesMax');
    return admitted;
  }

  /** Reads the fill of a stream now. */
  async refresh(stream: string): Promise<void> {
    this.admits('ending', stream);
    const fill = this.#fills.get(stream);
    if (fill !== undefined) await this.#refresh(stream, fill);
  }

  async #refresh(stream: string, fill: Fill): Promise<void> {
    fill.reading = true;
    try {
      const info = await this.#broker.jsm.streams.info(stream);
      fill.bytesUsed = info.state.bytes;
      fill.bytesMax = info.config.max_bytes;
    } catch {
      // The last known fill stays: an unreachable server refuses writes by itself.
    } finally {
      fill.readAt = performance.now();
      fill.reading = false;
    }
  }
}
