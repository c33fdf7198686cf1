/** A tool that says when its signal aborted. */
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'bench_wait',
    description: 'Waits until it is cancelled',
    inputSchema: z.object({}),
    async run(_input, task) {
      const aborted = new Promise((resolve) =>
        task.signal.addEventListener('abort', () => resolve(performance.timeOrigin + performance.now())),
      );
      await task.emit('com.example.bench.ready', {});
      const atMs = await aborted;
      await task.emit('com.example.bench.aborted', { atMs });
      return 'stopped';
    },
  }),
];
