/** Tools that use everything a task offers, run by the test kit and by a real worker. */
import { defineTool, RetryableError, ToolError, ToolProtocolError } from '@taskstream/worker';
import * as z from 'zod';

const retry = { attemptsMax: 3, backoffMsBase: 1, backoffMsMax: 1 };

export default [
  defineTool({
    name: 'talk',
    description: 'events, progress, status, identity, a declared type',
    inputSchema: z.object({ n: z.int() }),
    outputSchema: z.object({ n: z.int() }),
    events: { 'com.example.counted': z.object({ i: z.int(), of: z.int().default(3) }) },
    async run({ n }, task) {
      for (let i = 0; i < n; i++) await task.emit('com.example.counted', { i });
      await task.emit('com.example.item', { text: 'é' }, { itemId: 'a', agentId: 'b' });
      void task.emit('com.example.unawaited', {});
      await task.progress(1, 2, 'half');
      await task.status('nearly there');
      return { content: [], structuredContent: { n } };
    },
  }),
  defineTool({
    name: 'ends',
    description: 'ends in a way that its input names',
    inputSchema: z.object({ how: z.string() }),
    outputSchema: z.object({ n: z.int() }),
    events: { 'com.example.counted': z.object({ i: z.int() }) },
    retry,
    async run({ how }, task) {
      await task.emit('com.example.tried', { attempt: task.attempt });
      switch (how) {
        case 'tool_error':
          throw new ToolError('no such city');
        case 'protocol_error':
          throw new ToolProtocolError(-32001, 'not today', { until: 'tomorrow' });
        case 'retried':
          if (task.attempt < 3) throw new RetryableError('busy');
          return { content: [], structuredContent: { n: task.attempt } };
        case 'exhausted':
          throw new RetryableError('always busy');
        case 'string':
          // oxlint-disable-next-line typescript/only-throw-error -- that is the case
          throw 'a string';
        case 'bad_result':
          return { content: [], structuredContent: { n: 'one' } };
        case 'too_large':
          return { content: [{ type: 'text', text: 'x'.repeat(1_100_000) }], isError: true };
        case 'bad_event':
          await task.emit('com.example.counted', { i: 'one' });
          return 'not reached';
        case 'unprefixed':
          await task.emit('counted', {});
          return 'not reached';
        case 'large_event':
          await task.emit('com.example.large', { text: 'x'.repeat(300_000) });
          return 'not reached';
        case 'unseen':
          void task.emit('com.example.large', { text: 'x'.repeat(300_000) });
          return { content: [], structuredContent: { n: 1 } };
        case 'late':
          setImmediate(() => void task.emit('com.example.late', {}));
          return { content: [], structuredContent: { n: 1 } };
        default:
          throw new Error(`no way to end called ${how}`);
      }
    },
  }),
  defineTool({
    name: 'asks',
    description: 'two questions at once, then one more',
    inputSchema: z.object({}),
    async run(_input, task) {
      const [one, two] = await Promise.all([
        task.elicit('one', 'First?', z.object({ yes: z.boolean() })),
        task.ask('two', { method: 'roots/list' }),
      ]);
      await task.emit('com.example.answers', { one, two });
      const three = await task.elicit('three', 'Third?', z.object({ n: z.int() }));
      return three.action === 'accept' ? `n is ${three.content.n}` : three.action;
    },
  }),
  defineTool({
    name: 'waits',
    description: 'says that it is there and waits for the end of its attempt, in the second one it returns',
    inputSchema: z.object({}),
    retry,
    async run(_input, task) {
      await task.emit('com.example.here', { attempt: task.attempt });
      if (task.attempt === 1) {
        await new Promise((resolve) => task.signal.addEventListener('abort', resolve, { once: true }));
        task.signal.throwIfAborted();
      }
      return `attempt ${task.attempt}`;
    },
  }),
  defineTool({
    name: 'records',
    description: 'steps that are recalled, one that fails first, one that fails for good, and a checkpoint',
    inputSchema: z.object({}),
    retry,
    async run(_input, task) {
      const quick = { retry: { triesMax: 2, backoffMsBase: 1, backoffMsMax: 1 } };
      const one = await task.step('one', () => ({ n: task.attempt }), { schema: z.object({ n: z.int() }) });
      let tries = 0;
      await task.step(
        'two',
        async () => {
          await task.emit('com.example.inside', { attempt: task.attempt });
          if (++tries === 1) throw new Error('not yet');
        },
        quick,
      );
      const standing = await task.restore(z.object({ at: z.int() }));
      await task.emit('com.example.here', { one, standing: standing ?? null });
      if (task.attempt === 1) {
        await task.checkpoint({ at: 5 });
        await task.emit('com.example.saved', {});
        await new Promise((resolve) => task.signal.addEventListener('abort', resolve, { once: true }));
        task.signal.throwIfAborted();
      }
      await task.step('three', () => Promise.reject(new ToolError('never')), quick).catch(() => undefined);
      return task.step('one', () => 'the same name again');
    },
  }),
  defineTool({
    name: 'steered',
    description: 'takes two messages, and pauses between them',
    inputSchema: z.object({}),
    steerable: true,
    async run(_input, task) {
      const said = [];
      for await (const { message, data } of task.mailbox.steer()) {
        said.push(message);
        await task.emit('com.example.heard', { message, data: data ?? null, paused: task.mailbox.paused });
        if (said.length === 2) break;
      }
      await task.mailbox.whenResumed();
      return said.join(' and ');
    },
  }),
  defineTool({
    name: 'parent',
    description: 'spawns two children, and finds them again after a crash',
    inputSchema: z.object({}),
    retry,
    async run(_input, task) {
      const child = await task.spawn('talk', { n: 2 });
      const { structuredContent } = await child.result();
      const failing = await task.spawn('ends', { how: 'protocol_error' }, { name: 'failing' });
      const { status } = await failing.outcome();
      const heard = [];
      for await (const event of child.events()) if (event.type === 'com.example.counted') heard.push(event.payload);
      await task.emit('com.example.children', { structuredContent, status, heard });
      if (task.attempt === 1) {
        await new Promise((resolve) => task.signal.addEventListener('abort', resolve, { once: true }));
        task.signal.throwIfAborted();
      }
      return 'both are there';
    },
  }),
  defineTool({
    name: 'suspends',
    description: 'asks twice and holds no slot meanwhile',
    inputSchema: z.object({}),
    async run(_input, task) {
      const n = await task.step('before', () => task.attempt);
      const one = await task.elicit('one', 'First?', z.object({ yes: z.boolean() }), { suspend: true });
      const two = await task.elicit('two', 'Second?', z.object({ yes: z.boolean() }), { suspend: true });
      return `${n} ${one.action} ${two.action} in attempt ${task.attempt}`;
    },
  }),
];
