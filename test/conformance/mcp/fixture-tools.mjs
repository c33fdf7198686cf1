/**
 * The tools that the public MCP conformance suite expects of a server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, ToolError, ToolProtocolError } from '@taskstream/worker';
import * as z from 'zod';

const none = z.object({});
const text = (value) => ({ content: [{ type: 'text', text: value }] });
const question = (message, properties) => ({
  method: 'elicitation/create',
  params: {
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties, required: Object.keys(properties) },
  },
});
const NAME = { name: { type: 'string' } };
/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A RIFF header of an empty sound. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

export default [
  defineTool({
    name: 'greet',
    description: 'Greets at once',
    inputSchema: z.object({ name: z.string() }),
    taskSupport: 'forbidden',
    run: ({ name }) => `Hello, ${name}!`,
  }),
  defineTool({
    name: 'slow_compute',
    description: 'Sleeps, then answers',
    inputSchema: z.object({ seconds: z.number().min(0).max(60).default(0), label: z.string().optional() }),
    async run({ seconds }, task) {
      await delay(seconds * 1_000, undefined, { signal: task.signal });
      return text('computed');
    },
  }),
  defineTool({
    name: 'failing_job',
    description: 'Reports an error of the tool',
    inputSchema: none,
    taskSupport: 'required',
    async run() {
      await delay(1_000);
      throw new ToolError('the job failed');
    },
  }),
  defineTool({
    name: 'protocol_error_job',
    description: 'Ends in a protocol error',
    inputSchema: none,
    run() {
      throw new ToolProtocolError(-32603, 'panic');
    },
  }),
  defineTool({
    name: 'confirm_delete',
    description: 'Asks before it deletes nothing',
    inputSchema: z.object({ filename: z.string().default('nothing') }),
    async run({ filename }, task) {
      const answer = await task.elicit('confirm', `Delete ${filename}?`, z.object({ confirm: z.boolean() }));
      return text(answer.action === 'accept' && answer.content.confirm ? `Deleted ${filename}` : 'Kept');
    },
  }),
  defineTool({
    name: 'multi_input',
    description: 'Asks two questions at once',
    inputSchema: none,
    async run(_input, task) {
      const ask = (name) => task.ask(name, question(`${name}?`, NAME));
      const answers = await Promise.all([ask('first'), ask('second')]);
      return text(JSON.stringify(answers));
    },
  }),
  defineTool({
    name: 'test_tool_with_task',
    description: 'Asks first, then becomes a task',
    inputSchema: none,
    taskSupport: 'required',
    inputFirst: { user_name: question('What is your name?', NAME) },
    run: (_input, task) => `Hello, ${task.given.user_name?.content?.name}!`,
  }),
  defineTool({
    name: 'test_simple_text',
    description: 'Text',
    inputSchema: none,
    taskSupport: 'forbidden',
    run: () => text('This is a simple text response for testing.'),
  }),
  defineTool({
    name: 'test_image_content',
    description: 'An image',
    inputSchema: none,
    taskSupport: 'forbidden',
    run: () => ({ content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] }),
  }),
  defineTool({
    name: 'test_audio_content',
    description: 'A sound',
    inputSchema: none,
    taskSupport: 'forbidden',
    run: () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }),
  }),
  defineTool({
    name: 'test_embedded_resource',
    description: 'A resource',
    inputSchema: none,
    taskSupport: 'forbidden',
    run: () => ({
      content: [
        {
          type: 'resource',
          resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
        },
      ],
    }),
  }),
  defineTool({
    name: 'test_multiple_content_types',
    description: 'Text, image and resource',
    inputSchema: none,
    taskSupport: 'forbidden',
    run: () => ({
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        { type: 'image', data: PNG, mimeType: 'image/png' },
        {
          type: 'resource',
          resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' },
        },
      ],
    }),
  }),
  defineTool({
    name: 'test_error_handling',
    description: 'An error of the tool',
    inputSchema: none,
    taskSupport: 'forbidden',
    run() {
      throw new ToolError('This tool intentionally returns an error for testing');
    },
  }),
  defineTool({
    name: 'test_missing_capability',
    description: 'Needs sampling',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      return text(JSON.stringify(await task.ask('sample', { method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } })));
    },
  }),
];
