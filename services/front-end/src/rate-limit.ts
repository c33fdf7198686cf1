/**
 * How often an owner may do something: a bucket of a minute's worth for each, refilled evenly.
 *
 * Invariants: pure but for its own memory, which is bounded: the owner that was quiet for longest is forgotten first;
 * a refusal says when to come again.
 */
interface Bucket {
  left: number;
  refilledAtMs: number;
}

const MINUTE_MS = 60_000;

export class RateLimit {
  readonly #perMinuteMax: number;
  readonly #ownersMax: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #onForget: () => void;

  /** `onForget` is told when an owner is forgotten for want of room. */
  constructor(perMinuteMax: number, ownersMax: number, onForget: () => void = () => undefined) {
    this.#onForget = onForget;
    this.#perMinuteMax = perMinuteMax;
    this.#ownersMax = ownersMax;
  }

  get owners(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until the owner may again; 0: now. Times are of one clock that never goes back. */
  waitMs(owner: string, nowMs: number): number {
    const bucket = this.#buckets.get(owner);
    if (bucket === undefined) return 0;
    this.#refill(bucket, nowMs);
    return bucket.left >= 1 ? 0 : Math.ceil(((1 - bucket.left) * MINUTE_MS) / this.#perMinuteMax);
  }

  /** Counts one, whether it was allowed or not: then nothing is left. */
  count(owner: string, nowMs: number): void {
    const bucket = this.#buckets.get(owner) ?? { left: this.#perMinuteMax, refilledAtMs: nowMs };
    this.#refill(bucket, nowMs);
    bucket.left = Math.max(0, bucket.left - 1);
    // Last in the map is the latest.
    this.#buckets.delete(owner);
    this.#buckets.set(owner, bucket);
    if (this.#buckets.size <= this.#ownersMax) return;
    this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#onForget();
  }

  #refill(bucket: Bucket, nowMs: number): void {
    const since = Math.max(0, nowMs - bucket.refilledAtMs);
    bucket.left = Math.min(this.#perMinuteMax, bucket.left + (since * this.#perMinuteMax) / MINUTE_MS);
    bucket.refilledAtMs = nowMs;
  }
}
