/**
 * The tools that chaos runs. What they do is also written to a file beside the system, one line each, so that what
 * was acknowledged to them can be held against what the log has.
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
        note({ what: 'saw', taskId, attempt, step, value });
        await task.emit('com.example.chaos.step', { step, value });
        note({ what: 'acknowledged', taskId, attempt, step, value });
      }
      return `${steps} steps`;
    },
  }),
  defineTool({
    name: 'chaos_ask',
    description: 'Asks, and holds no slot until it is answered',
    inputSchema: z.object({}),
    retry: { attemptsMax: 1_000 },
    async run(_input, task) {
      const question = z.object({ text: z.string() });
      const { content } = await task.elicit('text', 'Which text?', question, { suspend: true });
      const text = content?.text ?? 'nothing';
      note({ what: 'answered', taskId: task.id, attempt: task.attempt, step: 0, value: text });
      return { content: [], structuredContent: { text } };
    },
  }),
  defineTool({
    name: 'chaos_pass',
    description: 'Does nothing',
    inputSchema: z.object({}),
    async run() {
      return 'passed';
    },
  }),
];
