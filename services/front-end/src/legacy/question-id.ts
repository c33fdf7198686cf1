/**
 * The JSON-RPC id of a question to a 2025-11-25 client: it names task and key, so that any node can route the answer.
 */
const PREFIX = 'question:';

export function questionId(taskId: string, key: string): string {
  return `${PREFIX}${taskId}:${key}`;
}

/** Undefined for an id that is not one of ours. */
export function parseQuestionId(id: unknown): { taskId: string; key: string } | undefined {
  if (typeof id !== 'string' || !id.startsWith(PREFIX)) return undefined;
  const colon = id.indexOf(':', PREFIX.length);
  if (colon < 0) return undefined;
  return { taskId: id.slice(PREFIX.length, colon), key: id.slice(colon + 1) };
}
