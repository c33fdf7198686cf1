/**
 * One queued event that later ones of the same type and identity may join, by the rule that its type declares.
 *
 * Invariants: what joins is counted, and the event says for how many it stands; nothing joins beyond the payload limit;
 * texts are put together once, when the event is sealed, not at every join.
 */
import type { CoalesceRule, EventDraft } from '@taskstream/core';

/** Somebody who waits until the event is durable. */
export interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

/** Events with one key may become one event. */
export function coalesceKey({ type, identity }: EventDraft): string {
  if (identity === undefined) return type;
  const { itemId, parentItemId, toolCallId, agentId, parentTaskId } = identity;
  return JSON.stringify([type, itemId, parentItemId, toolCallId, agentId, parentTaskId]);
}

export class Coalesced {
  readonly key: string;
  readonly draft: EventDraft;
  readonly #rule: CoalesceRule;
  readonly #texts: string[] = [];
  /** Of those who joined; the first one waits with the queue. */
  readonly settles: Settle[] = [];
  #payloadJson: string;
  /** Size of the payload as it would be written now. */
  #bytes: number;
  /** Of that, the text. */
  #textBytes = 0;
  #at: string;

  constructor(key: string, rule: CoalesceRule, draft: EventDraft, payloadJson: string, at: string) {
    this.key = key;
    this.draft = draft.identity === undefined ? draft : { ...draft, identity: { ...draft.identity } };
    this.#rule = rule;
    this.#payloadJson = payloadJson;
    this.#bytes = Buffer.byteLength(payloadJson);
    this.#at = at;
    if (rule === 'text') this.#textBytes = this.#addText(draft);
  }

  /** Takes one more event in. The bytes by which it has grown; undefined: there is no room for it. */
  join(draft: EventDraft, payloadJson: string, at: string, settle: Settle, bytesMax: number): number | undefined {
    const before = this.#bytes;
    const alone = Buffer.byteLength(payloadJson);
    if (this.#rule === 'text') {
      if (alone + this.#textBytes > bytesMax) return undefined;
      this.#bytes = alone + this.#textBytes;
      this.#textBytes += this.#addText(draft);
    } else {
      this.#bytes = alone;
    }
    this.#payloadJson = payloadJson;
    this.#at = at;
    this.settles.push(settle);
    return this.#bytes - before;
  }

  #addText({ payload }: EventDraft): number {
    const text = String(payload['text']);
    this.#texts.push(text);
    return Buffer.byteLength(JSON.stringify(text)) - 2;
  }

  /** How the event is written: the latest payload, with every text for rule `text`. */
  seal(): { readonly payloadJson: string; readonly at: string; readonly standsFor: number } {
    const standsFor = this.settles.length + 1;
    let payloadJson = this.#payloadJson;
    if (this.#texts.length > 1) {
      const latest = JSON.parse(payloadJson) as Record<string, unknown>;
      payloadJson = JSON.stringify({ ...latest, text: this.#texts.join('') });
    }
    return { payloadJson, at: this.#at, standsFor };
  }
}
