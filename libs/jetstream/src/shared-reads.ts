/**
 * Reads that callers share, one at a time per key: clients that come back from another node ask for the same together.
 *
 * Invariant: absence is told only by a read that began after it was asked for; what is found may be a little older.
 */
export class SharedReads<Found> {
  readonly #reading = new Map<string, Promise<Found | undefined>>();

  /** @throws what `read` throws, to all that share it */
  async get(key: string, read: () => Promise<Found | undefined>): Promise<Found | undefined> {
    const earlier = this.#reading.get(key);
    const found = earlier === undefined ? undefined : await earlier;
    return found ?? this.#reading.get(key) ?? this.#begin(key, read);
  }

  #begin(key: string, read: () => Promise<Found | undefined>): Promise<Found | undefined> {
    const reading = read().finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }
}
