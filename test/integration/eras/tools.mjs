/**
 * Tools for the tests of plain calls: one that reports progress as told, one that must know things first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'steps',
    description: 'Reports the given values as progress',
    inputSchema: z.object({ values: z.array(z.number()), everyMs: z.int().min(0).default(0) }),
    async run({ values, everyMs }, task) {
      for (const value of values) {
        const reported = task.progress(value, values.at(-1), `at ${value}`);
        if (everyMs > 0) {
          await reported;
          await delay(everyMs, undefined, { signal: task.signal });
        }
      }
      return 'done';
    },
  }),
  defineTool({
    name: 'know_first',
    description: 'Must know a name and a poem first',
    inputSchema: z.object({}),
    taskSupport: 'forbidden',
    inputFirst: {
      name: {
        method: 'elicitation/create',
        params: {
          mode: 'form',
          message: 'Name?',
          requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
        },
      },
      poem: {
        method: 'sampling/createMessage',
        params: { messages: [{ role: 'user', content: { type: 'text', text: 'A poem, please' } }], maxTokens: 10 },
      },
    },
    run: (_input, task) => `${task.given.name.content.name}: ${task.given.poem.content.text}`,
  }),
];
