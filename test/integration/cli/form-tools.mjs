// Tools that ask, and one that writes a transcript, for the commands that answer and export.
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const Order = z.object({
  name: z.string().min(2),
  age: z.int().min(1).max(120),
  share: z.number().optional(),
  agree: z.boolean(),
  size: z.enum(['small', 'large']),
});

export default [
  defineTool({
    name: 'order',
    description: 'Asks for an order',
    inputSchema: z.object({}),
    async run(_input, task) {
      const answer = await task.elicit('order', 'What shall it be?', Order);
      return JSON.stringify(answer);
    },
  }),
  defineTool({
    name: 'talk',
    description: 'Says words, one message each',
    inputSchema: z.object({ words: z.int().positive(), everyMs: z.int().min(0) }),
    async run({ words, everyMs }, task) {
      await task.emit('com.example.agent.started', { name: 'talker' }, { itemId: 'a' });
      for (let i = 0; i < words; i += 1) {
        const itemId = `m${i}`;
        await task.emit('com.example.message.started', { role: 'assistant' }, { itemId, parentItemId: 'a' });
        await task.emit('com.example.message.delta', { text: `word ${i}` }, { itemId });
        await task.emit('com.example.message.finished', {}, { itemId });
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
      await task.emit('com.example.agent.finished', {}, { itemId: 'a' });
      return 'talked';
    },
  }),
];
