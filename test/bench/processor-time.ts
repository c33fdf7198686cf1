/** Processor time of processes by the kernel's own count. It is there on Linux only. */
import { readFile } from 'node:fs/promises';

/** Clock ticks a second of /proc on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of processes so far, in milliseconds. */
export async function processorMs(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1_000) / TICKS_PER_SECOND;
}
