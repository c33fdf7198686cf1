/**
 * The tool that chaos runs. What it does is also written to a file beside the system, one line each, so that what was
 * acknowledged to it can be held against what the log has.
 */
import { appendFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const note = (line) => appendFileSync(process.env.CHAOS_JOURNAL, `${JSON.stringify(line)}\n`);

export default [
  defineTool({
    name: 'chaos',
    description: 'Works in steps, and tells of each',
    inputSchema: z.object({ steps: z.int().positive(), stepMs: z.int().nonnegative() }),
    // A worker that dies counts as a failed attempt of everything that it ran.
    retry: { attemptsMax: 1_000 },
    async run({ steps, stepMs }, task) {
      const { id: taskId, attempt } = task;
      for (let step = 0; step < steps; step++) {
        const value = await task.step(`step-${step}`, async ({ idempotencyKey }) => {
          const made = randomBytes(8).toString('hex');
          note({ what: 'ran', taskId, attempt, step, idempotencyKey, value: made });
          await delay(stepMs, undefined, { signal: task.signal });
          return made;
        });
        await task.emit('com.example.chaos.step', { step, value });
        note({ what: 'acknowledged', taskId, attempt, step, value });
      }
      return `${steps} steps`;
    },
  }),
];
