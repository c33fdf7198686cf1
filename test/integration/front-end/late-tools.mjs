/**
 * A tool of a worker that comes later than the others.
 */
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'late',
    title: 'Late',
    description: 'Comes later than the others',
    inputSchema: z.object({ text: z.string().default('late') }),
    outputSchema: z.object({ text: z.string() }),
    queue: 'late',
    run: ({ text }) => ({ content: [{ type: 'text', text }], structuredContent: { text } }),
  }),
];
