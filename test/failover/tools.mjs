/**
 * A tool that never stops saying when it is, until it is cancelled. Each attempt counts from 0, and keeps outside of the
 * log what it was told is durable: a file per attempt in FAILOVER_ACKS.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const ACKS = process.env['FAILOVER_ACKS'] ?? '.';

export default [
  defineTool({
    name: 'ticker',
    description: 'Emits an event at a steady pace until it is cancelled',
    inputSchema: z.object({ everyMs: z.int().positive() }),
    taskSupport: 'required',
    retry: { attemptsMax: 1_000, backoffMsBase: 10, backoffMsMax: 100 },
    async run({ everyMs }, task) {
      const acks = openSync(join(ACKS, `${task.id}.${task.attempt}`), 'w');
      try {
        for (let i = 0; ; i++) {
          // Returning would end the task; what throws here is tried again by whoever takes it over.
          task.signal.throwIfAborted();
          await task.emit('com.example.tick', { i, attempt: task.attempt, atMs: Date.now() });
          writeSync(acks, String(i).padStart(12), 0);
          await delay(everyMs, undefined, { signal: task.signal });
        }
      } finally {
        closeSync(acks);
      }
    },
  }),
];
