/** Counts the words of texts, one event a text, and asks before it counts many. */
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const MANY = 3;

export const countWords = defineTool({
  name: 'count_words',
  description: 'Counts the words of texts',
  inputSchema: z.object({ texts: z.array(z.string()).min(1) }),
  outputSchema: z.object({ words: z.int() }),
  events: { 'com.example.counted': z.object({ text: z.int(), words: z.int() }) },
  async run({ texts }, task) {
    if (texts.length > MANY) {
      const answer = await task.elicit('go on', `Count ${texts.length} texts?`, z.object({ yes: z.boolean() }));
      if (answer.action !== 'accept' || !answer.content.yes) return { content: [], structuredContent: { words: 0 } };
    }
    let words = 0;
    for (const [i, text] of texts.entries()) {
      task.signal.throwIfAborted();
      const found = await task.step(`count ${i}`, () => text.split(/\s+/).filter((word) => word !== '').length);
      words += found;
      await task.emit('com.example.counted', { text: i, words: found });
      await task.progress(i + 1, texts.length);
    }
    return { content: [{ type: 'text', text: `${words} words` }], structuredContent: { words } };
  },
});
