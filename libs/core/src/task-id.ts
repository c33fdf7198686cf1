/**
 * Task ids: `<class><shard>-<random>`, for example `d0-V1StGXR8_Z5jdHi6B-myTg`.
 *
 * Invariants: the id alone tells which stream holds the task; the random part has at least 128 bits, so that an id
 * cannot be guessed; an id never holds a character that has a meaning in a subject, a URL path or a header.
 */
const TASK_ID = /^([a-z]{1,8})(\d{1,4})-([A-Za-z0-9_-]{22,64})$/;

/** The longest id, in characters; anything longer is refused before it is looked at. */
export const TASK_ID_LENGTH_MAX = 8 + 4 + 1 + 64;
/** Characters of the random part: 22 of a 64-letter alphabet are 132 bits. */
export const TASK_ID_RANDOM_LENGTH = 22;

/** Where a task lives: its retention class and the shard of that class. */
export interface TaskPlace {
  readonly retentionClass: string;
  readonly shard: number;
}

export function formatTaskId(place: TaskPlace, random: string): string {
  const id = `${place.retentionClass}${place.shard}-${random}`;
  if (parseTaskId(id) === undefined) throw new RangeError(`not a task id: class ${place.retentionClass}`);
  return id;
}

/** The place that an id names, or undefined when the text is not a task id. */
export function parseTaskId(id: string): TaskPlace | undefined {
  if (id.length > TASK_ID_LENGTH_MAX) return undefined;
  const m = TASK_ID.exec(id);
  if (m === null) return undefined;
  return { retentionClass: m[1] as string, shard: Number(m[2]) };
}
