/**
 * The tools that the public MCP conformance suite expects of a server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connectBroker, openToolPublisher, StoreOptions } from '@taskstream/jetstream';
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
const sampling = (prompt, maxTokens) => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens },
});
const ROOTS = { method: 'roots/list', params: {} };
/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A RIFF header of an empty sound. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

const titled = (what) =>
  ['First', 'Second', 'Third'].map((nth, i) => ({ const: `value${i + 1}`, title: `${nth} ${what}` }));

async function completed(task, properties) {
  const { action, content } = await task.ask('form', question('Please fill in', properties));
  return text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);
}

const tools = [
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
          resource: {
            uri: 'test://embedded-resource',
            mimeType: 'text/plain',
            text: 'This is an embedded resource content.',
          },
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
          resource: {
            uri: 'test://mixed-content-resource',
            mimeType: 'application/json',
            text: '{"test":"data","value":123}',
          },
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
    inputFirst: { sample: sampling('Say something', 10) },
    run: (_input, task) => text(JSON.stringify(task.given.sample)),
  }),
  defineTool({
    name: 'test_streaming_elicitation',
    description: 'Asks for a name',
    inputSchema: none,
    taskSupport: 'forbidden',
    inputFirst: { user_name: question('What is your name?', NAME) },
    run: (_input, task) => text(JSON.stringify(task.given.user_name)),
  }),
  defineTool({
    name: 'test_logging_tool',
    description: 'Emits events that are no log messages',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      await task.emit('com.example.log', { level: 'info', message: 'not for the log' });
      return text('done');
    },
  }),
  defineTool({
    name: 'test_trigger_tool_change',
    description: 'Publishes itself with another description',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run() {
      const broker = await connectBroker({
        servers: process.env.TASKSTREAM_NATS_URL,
        name: 'tool change',
        connectMsMax: 5_000,
        readTimeoutMs: 5_000,
      });
      try {
        const { definition } = tools.find((tool) => tool.definition.name === 'test_trigger_tool_change');
        const description = `Published itself at ${new Date().toISOString()}`;
        await (await openToolPublisher(broker, StoreOptions.parse({}))).publish([{ ...definition, description }]);
      } finally {
        await broker.close();
      }
      return text('changed');
    },
  }),
  defineTool({
    name: 'test_tool_with_progress',
    description: 'Reports progress',
    inputSchema: none,
    async run(_input, task) {
      await task.progress(0, 100);
      await delay(50);
      await task.progress(50, 100);
      await delay(50);
      await task.progress(100, 100);
      return text('done');
    },
  }),
  defineTool({
    name: 'test_custom_header',
    description: 'Has an argument that is mirrored into a header',
    inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
    taskSupport: 'forbidden',
    run: ({ region }) => text(region),
  }),
  defineTool({
    name: 'json_schema_2020_12_tool',
    description: 'Tool with JSON Schema 2020-12 features',
    inputSchema: z
      .strictObject({
        name: z.string().optional(),
        address: z.unknown().optional().meta({ $ref: '#/$defs/address' }),
        contactMethod: z.enum(['phone', 'email']).optional(),
        phone: z.string().optional(),
        email: z.string().optional(),
      })
      .meta({
        $defs: {
          address: {
            $anchor: 'addressDef',
            type: 'object',
            properties: { street: { type: 'string' }, city: { type: 'string' } },
          },
        },
        allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
        if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
        // oxlint-disable-next-line no-thenable -- a keyword of JSON Schema
        then: { required: ['phone'] },
        else: { required: ['email'] },
      }),
    taskSupport: 'forbidden',
    run: (input) => text(JSON.stringify(input)),
  }),
  defineTool({
    name: 'test_sampling',
    description: 'Asks the model of the client',
    inputSchema: z.object({ prompt: z.string() }),
    async run({ prompt }, task) {
      const { content } = await task.ask('sample', sampling(prompt, 100));
      return text(`LLM response: ${content.text}`);
    },
  }),
  defineTool({
    name: 'test_elicitation',
    description: 'Asks the user',
    inputSchema: z.object({ message: z.string() }),
    async run({ message }, task) {
      const properties = {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      };
      const { action, content } = await task.ask('user', question(message, properties));
      return text(`User response: action=${action}, content=${JSON.stringify(content)}`);
    },
  }),
  defineTool({
    name: 'test_elicitation_sep1034_defaults',
    description: 'Asks with a default for every kind of field',
    inputSchema: none,
    run: (_input, task) =>
      completed(task, {
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      }),
  }),
  defineTool({
    name: 'test_elicitation_sep1330_enums',
    description: 'Asks with every kind of choice',
    inputSchema: none,
    run: (_input, task) =>
      completed(task, {
        untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
        titledSingle: { type: 'string', oneOf: titled('Option') },
        legacyEnum: {
          type: 'string',
          enum: ['opt1', 'opt2', 'opt3'],
          enumNames: ['Option One', 'Option Two', 'Option Three'],
        },
        untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
        titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
      }),
  }),
  defineTool({
    name: 'test_input_required_result_elicitation',
    description: 'Asks for a name before it runs',
    inputSchema: none,
    taskSupport: 'forbidden',
    inputFirst: { user_name: question('What is your name?', NAME) },
    run: (_input, task) => text(`Hello, ${task.given.user_name.content.name}!`),
  }),
  defineTool({
    name: 'test_input_required_result_sampling',
    description: 'Asks the model of the client before it runs',
    inputSchema: none,
    taskSupport: 'forbidden',
    inputFirst: { capital_question: sampling('What is the capital of France?', 100) },
    run: (_input, task) => text(task.given.capital_question.content.text),
  }),
  defineTool({
    name: 'test_input_required_result_list_roots',
    description: 'Asks for the roots of the client before it runs',
    inputSchema: none,
    taskSupport: 'forbidden',
    inputFirst: { client_roots: ROOTS },
    run: (_input, task) => text(task.given.client_roots.roots.map((root) => root.uri).join(', ')),
  }),
  defineTool({
    name: 'test_input_required_result_request_state',
    description: 'Asks while it runs',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      const { content } = await task.ask('confirm', question('Please confirm', { ok: { type: 'boolean' } }));
      return text(content.ok ? 'state-ok' : 'not confirmed');
    },
  }),
  defineTool({
    name: 'test_input_required_result_multiple_inputs',
    description: 'Asks three things at once',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      const answers = await Promise.all([
        task.ask('user_name', question('What is your name?', NAME)),
        task.ask('greeting', sampling('Generate a greeting', 50)),
        task.ask('client_roots', ROOTS),
      ]);
      return text(JSON.stringify(answers));
    },
  }),
  defineTool({
    name: 'test_input_required_result_multi_round',
    description: 'Asks one thing after the other',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      const first = await task.ask('step1', question('Step 1: What is your name?', NAME));
      const color = { color: { type: 'string' } };
      const second = await task.ask('step2', question('Step 2: What is your favorite color?', color));
      return text(`${first.content.name} likes ${second.content.color}`);
    },
  }),
  defineTool({
    name: 'test_input_required_result_tampered_state',
    description: 'Asks while it runs',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      return text(JSON.stringify(await task.ask('confirm', question('Please confirm', { ok: { type: 'boolean' } }))));
    },
  }),
  defineTool({
    name: 'test_input_required_result_capabilities',
    description: 'Asks what the client can be asked',
    inputSchema: none,
    taskSupport: 'forbidden',
    async run(_input, task) {
      const answers = await Promise.allSettled([
        task.ask('user_name', question('What is your name?', NAME)),
        task.ask('greeting', sampling('Generate a greeting', 50)),
      ]);
      return text(JSON.stringify(answers.filter((a) => a.status === 'fulfilled').map((a) => a.value)));
    },
  }),
];

export default tools;
