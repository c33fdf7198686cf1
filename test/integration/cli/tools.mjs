// A tools module as a user of `up --tools` would write it.
import { defineTool, ToolError } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'count',
    description: 'Counts, one event a step.',
    inputSchema: z.object({ steps: z.int().min(0).max(1_000), pauseMs: z.int().min(0).default(0) }),
    run: async ({ steps, pauseMs }, task) => {
      for (let step = 1; step <= steps; step += 1) {
        await task.emit('com.example.count.step', { step });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        task.signal.throwIfAborted();
      }
      return { content: [{ type: 'text', text: `counted to ${steps}` }] };
    },
  }),
  defineTool({
    name: 'refuse',
    description: 'Ends with a tool error.',
    inputSchema: z.object({}),
    run: async () => {
      throw new ToolError('not today');
    },
  }),
];
