/**
 * Small tools for tests. Each is real: it emits, waits, fails or ignores its signal as its name says.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, RetryableError, ToolError, ToolProtocolError } from '@taskstream/worker';
import * as z from 'zod';

const text = (value) => ({ content: [{ type: 'text', text: String(value) }] });

export default [
  defineTool({
    name: 'count',
    description: 'Counts to n, one event each',
    pausable: true,
    inputSchema: z.object({
      n: z.int().min(0).max(1_000_000),
      everyMs: z.int().min(0).default(0),
      pad: z.int().min(0).max(500_000).default(0),
    }),
    async run({ n, everyMs, pad }, task) {
      const padding = 'x'.repeat(pad);
      for (let i = 0; i < n; i++) {
        const emitted = task.emit('com.example.count', { i, ...(pad > 0 && { padding }) });
        if (everyMs > 0) {
          await emitted;
          await task.mailbox.whenResumed();
          await delay(everyMs, undefined, { signal: task.signal });
        } else if (i % 1_000 === 999) await emitted;
      }
      return text(n);
    },
  }),
  defineTool({
    name: 'fail',
    description: 'Ends as told',
    inputSchema: z.object({ how: z.enum(['tool_error', 'protocol_error', 'error', 'string', 'is_error']) }),
    async run({ how }) {
      if (how === 'tool_error') throw new ToolError('the tool says no');
      if (how === 'protocol_error') throw new ToolProtocolError(-32001, 'not today', { why: 'test' });
      if (how === 'error') throw new Error('an ordinary error');
      // What a careless author may do.
      // oxlint-disable-next-line typescript/only-throw-error
      if (how === 'string') throw 'only a string';
      return { content: [{ type: 'text', text: 'bad news' }], isError: true };
    },
  }),
  defineTool({
    name: 'flaky',
    description: 'Fails until the given attempt',
    inputSchema: z.object({ until: z.int().positive() }),
    retry: { attemptsMax: 3, backoffMsBase: 50 },
    async run({ until }, task) {
      await task.emit('com.example.flaky', { attempt: task.attempt });
      if (task.attempt < until) throw new RetryableError(`attempt ${task.attempt} fails`);
      return text(task.attempt);
    },
  }),
  defineTool({
    name: 'stubborn',
    description: 'Ignores its signal',
    inputSchema: z.object({ ms: z.int().positive() }),
    async run({ ms }) {
      await delay(ms);
      return text('done after all');
    },
  }),
  defineTool({
    name: 'block',
    description: 'Computes without a pause, in the attempts up to the given one',
    inputSchema: z.object({ ms: z.int().positive(), upTo: z.int().positive().default(100) }),
    async run({ ms, upTo }, task) {
      await task.emit('com.example.block', { attempt: task.attempt });
      const until = performance.now() + ms;
      while (task.attempt <= upTo && performance.now() < until);
      await task.emit('com.example.unblocked', { attempt: task.attempt });
      return text(task.attempt);
    },
  }),
  defineTool({
    name: 'emit_badly',
    description: 'Emits what must be refused',
    inputSchema: z.object({ what: z.enum(['unprefixed', 'reserved', 'array', 'large', 'circular', 'unawaited']) }),
    async run({ what }, task) {
      if (what === 'unprefixed') await task.emit('task.step', {});
      if (what === 'reserved') await task.emit('dev.taskstream.task.status', { status: 'completed' });
      if (what === 'array') await task.emit('com.example.step', [1]);
      if (what === 'large') await task.emit('com.example.step', { padding: 'x'.repeat(2 ** 19) });
      if (what === 'circular') {
        const payload = {};
        payload.self = payload;
        await task.emit('com.example.step', payload);
      }
      if (what === 'unawaited') void task.emit('task.step', {});
      return text('not refused');
    },
  }),
  defineTool({
    name: 'exit',
    description: 'Ends its worker, in the attempts up to the given one',
    inputSchema: z.object({ upTo: z.int().positive() }),
    async run({ upTo }, task) {
      await task.emit('com.example.exit', { attempt: task.attempt });
      if (task.attempt <= upTo) process.kill(process.pid, 'SIGKILL');
      return text(task.attempt);
    },
  }),
  defineTool({
    name: 'quick',
    description: 'Answers without a task',
    inputSchema: z.object({ name: z.string().default('world') }),
    taskSupport: 'forbidden',
    run: ({ name }) => `Hello, ${name}!`,
  }),
  defineTool({
    name: 'task_only',
    description: 'Runs only as a task',
    inputSchema: z.object({}),
    taskSupport: 'required',
    run: () => 'done',
  }),
  defineTool({
    name: 'ask_name',
    description: 'Asks the user for a name',
    inputSchema: z.object({}),
    async run(_input, task) {
      const answer = await task.elicit('name', 'What is your name?', z.object({ name: z.string() }));
      await task.emit('com.example.answered', { action: answer.action });
      return answer.action === 'accept' ? `Hello, ${answer.content.name}!` : `No name: ${answer.action}`;
    },
  }),
  defineTool({
    name: 'ask_two',
    description: 'Asks two questions at once',
    inputSchema: z.object({}),
    async run(_input, task) {
      const [first, second] = await Promise.all([
        task.elicit('first', 'First?', z.object({ text: z.string() })),
        task.elicit('second', 'Second?', z.object({ text: z.string() })),
      ]);
      return `${first.content?.text ?? first.action} and ${second.content?.text ?? second.action}`;
    },
  }),
  defineTool({
    name: 'ask_quickly',
    description: 'Asks in a call that is never a task',
    inputSchema: z.object({}),
    taskSupport: 'forbidden',
    async run(_input, task) {
      const answer = await task.elicit('name', 'What is your name?', z.object({ name: z.string() }));
      return `Hello, ${answer.content?.name ?? answer.action}!`;
    },
  }),
  defineTool({
    name: 'ask_first',
    description: 'Asks before there is a task',
    inputSchema: z.object({}),
    inputFirst: {
      user_name: {
        method: 'elicitation/create',
        params: {
          mode: 'form',
          message: 'What is your name?',
          requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
        },
      },
    },
    run: (_input, task) => `Hello, ${task.given.user_name?.content?.name ?? 'nobody'}!`,
  }),
  defineTool({
    name: 'brief',
    description: 'A task that is gone after a second',
    inputSchema: z.object({}),
    ttlMs: 1_000,
    run: () => 'here and gone',
  }),
];
