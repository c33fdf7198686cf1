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
      // oxlint-disable-next-line no-throw-literal
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
];
