/**
 * Requests of this node that a client may cancel from any node, by session and request id.
 */
import type { FrontEndBus, RequestCancellation } from '@taskstream/core';

export class CancellableRequests {
  readonly #bus: FrontEndBus;
  readonly #requests = new Map<string, () => void>();
  readonly #off: () => void;

  constructor(bus: FrontEndBus) {
    this.#bus = bus;
    this.#off = bus.onCancelRequest((c) => this.#requests.get(nameOf(c))?.());
  }

  /** Calls `cancel` when the client cancels the request. Returns a function that forgets it. */
  add(request: RequestCancellation, cancel: () => void): () => void {
    const name = nameOf(request);
    this.#requests.set(name, cancel);
    return () => {
      if (this.#requests.get(name) === cancel) this.#requests.delete(name);
    };
  }

  /** Tells every node, this one included. */
  cancel(request: RequestCancellation): void {
    this.#bus.cancelRequest(request);
  }

  close(): void {
    this.#off();
  }
}

function nameOf({ session, requestId }: RequestCancellation): string {
  return JSON.stringify([session, requestId]);
}
