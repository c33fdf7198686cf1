/** A right server in one line: serves a log of events, with another answer to the first request if a test wants. */
import type { Handler, Reply } from './fake-server.js';

export function afterOf(params: Readonly<Record<string, unknown>>): number {
  return Number(params['after'] ?? -1);
}

/** Serves events 0 to `last` after the cursor and the end; `first` answers the first request instead. */
export function log(last: number, first?: (reply: Reply) => void | Promise<void>): Handler {
  return ({ params }, reply, count) => {
    if (first !== undefined && count === 1) return first(reply);
    reply.sse();
    for (let seq = afterOf(params) + 1; seq <= last; seq += 1) reply.event(seq);
    return reply.terminal(last + 1);
  };
}

export function upTo(last: number): number[] {
  return Array.from({ length: last + 1 }, (_value, seq) => seq);
}
