/**
 * Tools for tests of what outlives an attempt: steps, checkpoints, questions. Each step says in the log that it ran.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const RAN = 'com.example.ran';
const form = z.object({ text: z.string() });

export default [
  defineTool({
    name: 'steps',
    description: 'Runs n steps, one after the other; how long each takes depends on the attempt',
    inputSchema: z.object({ n: z.int().min(1).max(200), ms: z.array(z.int().min(0)).min(1) }),
    retry: { attemptsMax: 20 },
    async run({ n, ms }, task) {
      const results = [];
      for (let i = 0; i < n; i++) {
        results.push(
          await task.step(`step ${i}`, async () => {
            void task.emit(RAN, { name: `step ${i}`, attempt: task.attempt });
            await delay(ms[Math.min(task.attempt, ms.length) - 1]);
            return `${i} by ${task.attempt}`;
          }),
        );
      }
      return { content: [], structuredContent: { results } };
    },
  }),
  defineTool({
    name: 'batch',
    description: 'Counts to n, one event each, and saves a checkpoint at each',
    inputSchema: z.object({ n: z.int().min(1), everyMs: z.int().min(0) }),
    retry: { attemptsMax: 20 },
    async run({ n, everyMs }, task) {
      const from = (await task.restore(z.object({ next: z.int() })))?.next ?? 0;
      for (let i = from; i < n; i++) {
        void task.emit('com.example.record', { i });
        await task.checkpoint({ next: i + 1 });
        await delay(everyMs, undefined, { signal: task.signal });
      }
      return { content: [], structuredContent: { from } };
    },
  }),
  defineTool({
    name: 'ask',
    description: 'Asks its questions, one after the other or all at once, with a slot or without',
    inputSchema: z.object({
      names: z.array(z.string()).min(1),
      suspend: z.boolean(),
      together: z.boolean().default(false),
    }),
    async run({ names, suspend, together }, task) {
      await task.step('prepare', () => void task.emit(RAN, { name: 'prepare', attempt: task.attempt }));
      const ask = async (name) => (await task.elicit(name, `${name}?`, form, { suspend })).content?.text;
      const texts = [];
      if (together) texts.push(...(await Promise.all(names.map(ask))));
      else for (const name of names) texts.push(await ask(name));
      return { content: [], structuredContent: { texts } };
    },
  }),
];
