/** Parsing of `tools/list`. 2026-07-28 §Listing Tools. */
import type { Tool } from './api.js';
import { expect, field, filled, list, object, optional, text, type JsonObject } from './shape.js';

/** One page of `tools/list`. */
export function parseToolPage(result: JsonObject): { tools: readonly Tool[]; nextCursor: string | undefined } {
  const tools = field(result, 'tools', list, 'result').map((entry, at): Tool => {
    const where = `tools.${at}`;
    const tool = expect(entry, object, where);
    const title = optional(tool, 'title', text, where);
    const description = optional(tool, 'description', text, where);
    const outputSchema = optional(tool, 'outputSchema', object, where);
    return {
      ...tool,
      name: field(tool, 'name', filled, where),
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      inputSchema: field(tool, 'inputSchema', object, where),
      ...(outputSchema !== undefined && { outputSchema }),
    };
  });
  return { tools, nextCursor: optional(result, 'nextCursor', text, 'result') };
}
