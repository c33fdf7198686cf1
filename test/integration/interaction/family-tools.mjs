/**
 * Tools that spawn tasks, and the tasks that they spawn.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'leaf',
    description: 'Counts to n',
    inputSchema: z.object({ n: z.int(), everyMs: z.int().default(0), fails: z.boolean().default(false) }),
    async run({ n, everyMs, fails }, task) {
      for (let i = 0; i < n; i++) {
        await task.emit('com.example.leaf', { i });
        await delay(everyMs, undefined, { signal: task.signal });
      }
      if (fails) throw new Error('this leaf fails');
      return `leaf ${n}`;
    },
  }),
  defineTool({
    name: 'far_leaf',
    description: 'Counts on another queue',
    inputSchema: z.object({ n: z.int(), everyMs: z.int().default(20) }),
    queue: 'far',
    async run({ n, everyMs }, task) {
      for (let i = 0; i < n; i++) {
        await task.emit('com.example.leaf', { i });
        await delay(everyMs, undefined, { signal: task.signal });
      }
      return `far leaf ${n}`;
    },
  }),
  defineTool({
    name: 'parent',
    description: 'Spawns leaves and waits for them, or does not',
    inputSchema: z.object({
      leaves: z.array(z.int()),
      everyMs: z.int().default(0),
      tool: z.string().default('leaf'),
      waits: z.boolean().default(true),
      abandon: z.boolean().default(false),
      diesAfterSpawn: z.boolean().default(false),
      diesAfterResult: z.boolean().default(false),
    }),
    retry: { backoffMsBase: 50 },
    async run({ leaves, everyMs, tool, waits, abandon, diesAfterSpawn, diesAfterResult }, task) {
      const children = await Promise.all(
        leaves.map((n, i) => task.spawn(tool, { n, everyMs }, { name: `leaf-${i}`, abandon })),
      );
      await task.emit('com.example.spawned', { taskIds: children.map((c) => c.taskId) });
      if (diesAfterSpawn && task.attempt === 1) process.kill(process.pid, 'SIGKILL');
      if (!waits) return 'not waited';
      const results = await Promise.all(children.map((c) => c.result()));
      await task.emit('com.example.results', { n: results.length });
      if (diesAfterResult && task.attempt === 1) process.kill(process.pid, 'SIGKILL');
      return results.map((r) => r.content[0].text).join(', ');
    },
  }),
  defineTool({
    name: 'follows',
    description: "Tells its child's events",
    inputSchema: z.object({ n: z.int() }),
    async run({ n }, task) {
      const child = await task.spawn('leaf', { n, fails: true });
      const seen = [];
      for await (const { seq, type } of child.events()) seen.push(`${seq} ${type}`);
      const { status, result } = await child.outcome();
      return JSON.stringify({ seen, status, isError: result.isError });
    },
  }),
  defineTool({
    name: 'nested',
    description: 'A task in a task in a task',
    inputSchema: z.object({ depth: z.int() }),
    async run({ depth }, task) {
      if (depth === 0) return 'bottom';
      const child = await task.spawn('nested', { depth: depth - 1 });
      const { content } = await child.result();
      return `${depth} over ${String(content[0].text)}`;
    },
  }),
  defineTool({
    name: 'bad_spawner',
    description: 'Spawns what must be refused',
    inputSchema: z.object({ how: z.enum(['unknown', 'twice', 'many', 'changed', 'options']) }),
    retry: { backoffMsBase: 20 },
    async run({ how }, task) {
      if (how === 'unknown') await task.spawn('no_such_tool', {});
      if (how === 'twice') await Promise.all([0, 1].map(() => task.spawn('leaf', { n: 1 }, { name: 'same' })));
      if (how === 'many') await Promise.all(Array.from({ length: 6 }, () => task.spawn('leaf', { n: 1 })));
      if (how === 'options') await task.spawn('leaf', { n: 1 }, { name: 'not a name' });
      if (how === 'changed') {
        await task.spawn('leaf', { n: task.attempt }, { name: 'changing' });
        if (task.attempt === 1) process.kill(process.pid, 'SIGKILL');
      }
      return 'not refused';
    },
  }),
];
