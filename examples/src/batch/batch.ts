/**
 * Adds up the amounts of a file of records, one JSON object a line, and saves how far it came after each chunk.
 *
 * Invariants: an attempt goes on at the last checkpoint, so that no record counts twice and at most one chunk is read
 * again; a record that is not valid is counted and told, not swallowed; only files below the root are read.
 */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { defineTool, ToolError, type Tool } from '@taskstream/worker';
import * as z from 'zod';
import { lineChunks } from './line-chunks.js';

const Amount = z.object({ account: z.string().min(1).max(100), amount: z.number() });
/** Where an attempt stands: everything that the next one needs. */
const Standing = z.object({
  /** Byte position of the next record. */
  end: z.int(),
  records: z.int(),
  rejected: z.int(),
  totals: z.record(z.string(), z.number()),
});
type Standing = z.output<typeof Standing>;

const events = {
  /** Records from line `first` on, counted from 1. */
  'com.example.batch.chunk': z.object({ first: z.int(), count: z.int() }),
  'com.example.batch.rejected': z.object({ line: z.int(), why: z.string() }),
};
/** Faulty records that are told one by one; all are counted. */
const REJECTED_TOLD_MAX = 100;

/** `root`: the folder whose files may be read. */
export function batchTool({ root }: { readonly root: string }): Tool {
  return defineTool({
    name: 'add_up',
    description: 'Adds up the amounts of a file of records by account; goes on where it was after a crash',
    inputSchema: z.object({
      file: z.string().describe('Path below the root; one {"account","amount"} a line'),
      recordsPerChunk: z.int().positive().max(100_000).default(1_000),
    }),
    outputSchema: Standing.omit({ end: true }),
    events,
    async run({ file, recordsPerChunk }, task) {
      const target = await fileBelow(root, file);
      const standing: Standing = (await task.restore(Standing)) ?? { end: 0, records: 0, rejected: 0, totals: {} };
      for await (const { lines, end } of lineChunks(target, standing.end, recordsPerChunk)) {
        task.signal.throwIfAborted();
        const first = standing.records + standing.rejected + 1;
        for (const [i, line] of lines.entries()) {
          const why = addUp(standing, line);
          if (why === undefined) continue;
          if (++standing.rejected <= REJECTED_TOLD_MAX) {
            void task.emit('com.example.batch.rejected', { line: first + i, why });
          }
        }
        standing.end = end;
        void task.emit('com.example.batch.chunk', { first, count: lines.length });
        void task.progress(standing.records + standing.rejected);
        await task.checkpoint(standing);
      }
      const { end: _end, ...totals } = standing;
      const text = `${standing.records} records added up, ${standing.rejected} rejected`;
      return { content: [{ type: 'text', text }], structuredContent: totals };
    },
  });
}

/** Why the record does not count; undefined when it does. */
function addUp(standing: Standing, line: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  const record = Amount.safeParse(value);
  if (!record.success)
    return record.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  const { account, amount } = record.data;
  standing.totals[account] = (standing.totals[account] ?? 0) + amount;
  standing.records++;
  return undefined;
}

async function fileBelow(root: string, file: string): Promise<string> {
  const top = await realpath(root);
  const target = await realpath(path.resolve(top, file)).catch(() => undefined);
  if (target === undefined || !target.startsWith(top + path.sep)) throw new ToolError(`No file ${file} below the root`);
  return target;
}
