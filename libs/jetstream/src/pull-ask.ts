/**
 * One pull from a consumer of the work stream: its messages, and its end.
 *
 * Invariants: the end is told once; what the server sent before it learned of the end is told all the same.
 */
import { TaskstreamError } from '@taskstream/core';
import { createInbox } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import { LeasedMessage, statusOf } from './leased-message.js';
import { WORK_STREAM } from './names.js';

/** What a pull tells: any number of messages, before and after its end; its end once. */
export interface Answers {
  message(m: LeasedMessage): void;
  end(error?: TaskstreamError): void;
}

/**
 * Ends when it has its batch, when the server says so, or after `silenceMs` without a word. Returns what ends it without
 * telling.
 */
export function askForWork(
  { nc }: Broker,
  consumer: string,
  request: Readonly<Record<string, unknown>>,
  silenceMs: number,
  answers: Answers,
): () => void {
  let left = Number(request['batch']);
  let over = false;
  const close = () => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    // What the server sent before it learns of this still arrives.
    if (!nc.isClosed()) sub.drain().catch(() => undefined);
    return true;
  };
  const end = (error?: TaskstreamError) => {
    if (close()) answers.end(error);
  };
  const timer = setTimeout(end, silenceMs);
  const inbox = createInbox();
  const sub = nc.subscribe(inbox, {
    callback: (error, m) => {
      if (error !== null) return end(unavailable(consumer, error.message));
      timer.refresh();
      const leased = LeasedMessage.of(nc, m);
      if (leased !== undefined) {
        answers.message(leased);
        if (--left === 0) end();
        return;
      }
      const { code, description } = statusOf(m);
      if (code === 100) return;
      const ordinary = code === 404 || code === 408 || description === 'Leadership Change';
      end(ordinary ? undefined : unavailable(consumer, `${code} ${description}`));
    },
  });
  nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${consumer}`, JSON.stringify(request), { reply: inbox });
  return () => void close();
}

function unavailable(consumer: string, why: string): TaskstreamError {
  return new TaskstreamError('log_unavailable', `Asking ${consumer} for work failed: ${why}`);
}
