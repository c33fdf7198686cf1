/**
 * A tool that says when it is until a given time, whichever attempt it is in. Keeps outside of the log what it was told is
 * durable: a file per attempt in FAILOVER_ACKS.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const ACKS = process.env['FAILOVER_ACKS'] ?? '.';

export default [
  defineTool({
    name: 'clock',
    description: 'Emits an event at a steady pace until a given time, and returns how many',
    inputSchema: z.object({ everyMs: z.int().positive(), untilMs: z.int().positive() }),
    taskSupport: 'required',
    retry: { attemptsMax: 1_000, backoffMsBase: 10, backoffMsMax: 100 },
    async run({ everyMs, untilMs }, task) {
      const acks = openSync(join(ACKS, `${task.id}.${task.attempt}`), 'w');
      try {
        let count = 0;
        while (Date.now() < untilMs) {
          task.signal.throwIfAborted();
          await task.emit('com.example.tick', { i: count, attempt: task.attempt, atMs: Date.now() });
          writeSync(acks, String(count).padStart(12), 0);
          count++;
          await delay(everyMs, undefined, { signal: task.signal });
        }
        return { content: [], structuredContent: { attempt: task.attempt, count } };
      } finally {
        closeSync(acks);
      }
    },
  }),
];
