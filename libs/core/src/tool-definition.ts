/**
 * A tool as the catalogue holds it: everything that a front end needs, nothing of how it runs.
 *
 * Invariant: the stored format is versioned by `v`.
 */
import * as z from 'zod';
import { PRIORITY_MAX } from './spec.js';

export const TOOL_DEFINITION_VERSION = 1;
/** MCP 2026-07-28 §Tool Names. */
export const ToolName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected 1 to 64 characters of A-Z a-z 0-9 _ . -');
/** Queue names are subject tokens and parts of consumer names. */
export const QueueName = z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'expected 1 to 32 characters of A-Z a-z 0-9 _ -');
export const TaskSupport = z.enum(['required', 'optional', 'forbidden']);
export type TaskSupport = z.infer<typeof TaskSupport>;

/** A request to the client, as MCP defines them. */
export const InputRequestShape = z.object({
  method: z.enum(['elicitation/create', 'sampling/createMessage', 'roots/list']),
  params: z.record(z.string(), z.unknown()).optional(),
});

const JsonSchema = z.looseObject({ type: z.literal('object') });

export const ToolDefinition = z.looseObject({
  v: z.literal(TOOL_DEFINITION_VERSION),
  name: ToolName,
  title: z.string().optional(),
  description: z.string(),
  inputSchema: JsonSchema,
  outputSchema: JsonSchema.optional(),
  taskSupport: TaskSupport,
  /** Questions that are put before a task is made, by name. */
  inputFirst: z.record(z.string(), InputRequestShape).optional(),
  /** Whether running tasks take messages from clients. Absent: no. */
  steerable: z.boolean().optional(),
  /** Whether tasks can be paused and resumed. Absent: no. */
  pausable: z.boolean().optional(),
  queue: QueueName,
  ttlMs: z.int().positive().nullable(),
  pollIntervalMs: z.int().positive(),
  attemptsMax: z.int().positive(),
  /** Of calls that name none. */
  priority: z.int().min(0).max(PRIORITY_MAX).optional(),
  /** Of calls that name none: how long after its creation a task may start. */
  delayMs: z.int().nonnegative().optional(),
  /** The longest time from a task's creation, or its start time, to its end. Absent: its ttl alone ends it. */
  taskTimeoutMs: z.int().positive().optional(),
});
export type ToolDefinition = z.infer<typeof ToolDefinition>;
