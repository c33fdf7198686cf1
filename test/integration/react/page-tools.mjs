// Tools for the page: one that talks, also in HTML, and one that floods.
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'talk',
    description: 'Says words, one message each',
    inputSchema: z.object({ words: z.int().positive(), everyMs: z.int().min(0), last: z.string() }),
    async run({ words, everyMs, last }, task) {
      await task.emit('com.example.agent.started', { name: 'talker' }, { itemId: 'a' });
      for (let i = 0; i < words; i += 1) {
        const itemId = `m${i}`;
        await task.emit('com.example.message.started', { role: 'assistant' }, { itemId, parentItemId: 'a' });
        const text = i === words - 1 ? last : `word ${i}`;
        await task.emit('com.example.message.delta', { text }, { itemId });
        await task.emit('com.example.message.finished', {}, { itemId });
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
      await task.emit('com.example.agent.finished', {}, { itemId: 'a' });
      return 'talked';
    },
  }),
  defineTool({
    name: 'flood',
    description: 'Emits as fast as it can',
    inputSchema: z.object({ events: z.int().positive() }),
    async run({ events }, task) {
      for (let i = 0; i < events; i += 1) {
        const emitted = task.emit('com.example.drop', { i });
        if (i % 500 === 499) await emitted;
      }
      return 'flooded';
    },
  }),
];
