/**
 * What the tools of chaos write beside the system, one line each.
 */
import * as z from 'zod';

const JournalLine = z.object({
  /** A step was run, its result was given to the tool, its event was acknowledged; a question gave its answer. */
  what: z.enum(['ran', 'saw', 'acknowledged', 'answered']),
  taskId: z.string(),
  attempt: z.int(),
  step: z.int(),
  value: z.string(),
});
export type JournalLine = z.infer<typeof JournalLine>;

/** A line that its writer did not finish, because it was killed, is none. */
export function parseJournal(text: string): JournalLine[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JournalLine.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

export function byTask(journal: ReadonlyArray<JournalLine>): ReadonlyMap<string, JournalLine[]> {
  const groups = new Map<string, JournalLine[]>();
  for (const line of journal) {
    const group = groups.get(line.taskId);
    if (group === undefined) groups.set(line.taskId, [line]);
    else group.push(line);
  }
  return groups;
}
