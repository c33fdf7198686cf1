/**
 * The events that an agent tells of: `<vendor>.<kind>.<phase>`, as readers fold them into a transcript.
 *
 * The identity of an event says to which item it belongs (`itemId`), and to which item that one (`parentItemId`). A
 * helper is a task of its own with a transcript of its own; `child.spawned` in the parent's log names it.
 */
import * as z from 'zod';

export const agentEvents = {
  'com.example.agent.started': z.object({ name: z.string() }),
  'com.example.agent.finished': z.object({}),
  'com.example.message.started': z.object({ role: z.enum(['user', 'assistant']) }),
  /** Deltas that wait for the log together become one. */
  'com.example.message.delta': { schema: z.object({ text: z.string() }), coalesce: 'text' },
  'com.example.message.finished': z.object({ text: z.string() }),
  'com.example.tool.started': z.object({ name: z.string(), input: z.unknown() }),
  'com.example.tool.finished': z.object({ output: z.string(), isError: z.boolean() }),
} as const;
