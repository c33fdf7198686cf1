/**
 * Tools that are cancelled in the middle of what they do.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'deaf_emitter',
    description: 'Emits for ever, whatever its signal says',
    inputSchema: z.object({ everyMs: z.int().positive() }),
    async run({ everyMs }, task) {
      for (let i = 0; ; i++) {
        void task.emit('com.example.tick', { i });
        await delay(everyMs);
      }
    },
  }),
  defineTool({
    name: 'short',
    description: 'Runs for a moment',
    inputSchema: z.object({ ms: z.int() }),
    async run({ ms }, task) {
      await task.emit('com.example.tick', { i: 0 });
      await delay(ms, undefined, { signal: task.signal });
      return 'done';
    },
  }),
  defineTool({
    name: 'in_step',
    description: 'Waits inside a step',
    inputSchema: z.object({}),
    async run(_input, task) {
      await task.step('slow', async ({ signal }) => {
        await task.emit('com.example.tick', { i: 0 });
        await delay(60_000, undefined, { signal });
      });
      return 'done';
    },
  }),
  defineTool({
    name: 'asks',
    description: 'Waits for input',
    inputSchema: z.object({}),
    async run(_input, task) {
      await task.elicit('name', 'What is your name?', z.object({ name: z.string() }));
      return 'done';
    },
  }),
];
