/**
 * Tools that ask: for a form with several fields, for a sample, at a URL, several things at once, first and later.
 */
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

const Form = z.object({ name: z.string().min(2), age: z.int().min(0).max(150), colour: z.enum(['red', 'green']) });
const sample = {
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text: 'A poem, please' } }], maxTokens: 10 },
};
const ask = (message) => ({
  method: 'elicitation/create',
  params: {
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  },
});

export default [
  defineTool({
    name: 'fill_form',
    description: 'Asks for a form',
    inputSchema: z.object({}),
    async run(_input, task) {
      const { action, content } = await task.elicit('form', 'Who are you?', Form);
      return action === 'accept' ? `${content.name}, ${content.age}, ${content.colour}` : action;
    },
  }),
  defineTool({
    name: 'write_poem',
    description: 'Asks the client for a sample',
    inputSchema: z.object({}),
    async run(_input, task) {
      const poem = await task.ask('poem', sample);
      return `poem: ${poem.content.text}`;
    },
  }),
  defineTool({
    name: 'ask_three',
    description: 'Asks three things at once, and one more when it knows them',
    inputSchema: z.object({}),
    async run(_input, task) {
      const answers = await Promise.all(['one', 'two', 'three'].map((name) => task.ask(name, ask(`${name}?`))));
      const more = await task.ask('four', ask('four?'));
      return [...answers, more].map((a) => a.content?.text ?? a.action).join(' ');
    },
  }),
  defineTool({
    name: 'visit_first',
    description: 'Needs a visit to a page before it is a task',
    inputSchema: z.object({}),
    inputFirst: {
      visit: {
        method: 'elicitation/create',
        params: { mode: 'url', message: 'Go', url: 'https://example.com/a', elicitationId: 'e1' },
      },
    },
    run: (_input, task) => `visit: ${task.given.visit.action}`,
  }),
  defineTool({
    name: 'two_first',
    description: 'Needs two answers before it is a task',
    inputSchema: z.object({}),
    inputFirst: { left: ask('left?'), right: ask('right?') },
    run: (_input, task) => `${task.given.left.content.text} and ${task.given.right.content.text}`,
  }),
];
