/**
 * Tells every node that a task was removed, so that none goes on with what it remembers of it.
 *
 * Invariants: a message says how far the removed log went, so that a later task of the same id is not touched; a lost
 * one costs memory and nothing else: the log is asked before a task is told of.
 */
import * as z from 'zod';
import type { Broker } from './broker.js';
import { DELETED_SUBJECT } from './names.js';

const Deletion = z.object({ taskId: z.string(), streamSeq: z.int().nonnegative() });
/** `streamSeq`: of the last message of the log that was removed. */
export type Deletion = z.infer<typeof Deletion>;

/** Resolves when the broker has it. */
export async function announceDeletion(broker: Broker, deletion: Deletion): Promise<void> {
  if (!broker.connected) return;
  broker.nc.publish(DELETED_SUBJECT, JSON.stringify(deletion));
  await broker.nc.flush();
}

/** Returns an unsubscribe function. */
export function onDeletion(broker: Broker, listener: (deletion: Deletion) => void): () => void {
  const subscription = broker.nc.subscribe(DELETED_SUBJECT, {
    callback: (error, m) => {
      if (error !== null) return;
      const deletion = parse(m.string());
      if (deletion !== undefined) listener(deletion);
    },
  });
  return () => subscription.unsubscribe();
}

function parse(text: string): Deletion | undefined {
  try {
    return Deletion.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
