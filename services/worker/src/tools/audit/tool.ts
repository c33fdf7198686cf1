/**
 * The example tool `audit_repository`: looks at every file of a git work tree and says what it found.
 *
 * Invariants: reads only below the configured roots; one event a file, in byte order of the paths, whatever finished
 * first; events that are not durable yet are bounded; stops between files when the attempt's signal aborts.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { defineTool, type Task, type Tool } from '@taskstream/worker';
import * as z from 'zod';
import { createPendingWindow, mapInOrder } from './in-order.js';
import { listFiles } from './list-files.js';
import { auditFile } from './read-file.js';
import { renderReport } from './report.js';
import { FILE_EVENT, fileEvent, Summary } from './result.js';
import { checkRoots, resolveInRoots } from './roots.js';
import { createTotals } from './summary.js';

export interface AuditOptions {
  /** Absolute paths: what may be read. Relative `path` arguments start at the first one. */
  readonly roots: ReadonlyArray<string>;
  /** Larger files are noted and not scanned. 1 MiB when absent. */
  readonly fileBytesMax?: number;
  /** The most files of one audit; a caller may ask for fewer. 100,000 when absent. */
  readonly filesMax?: number;
  /** How many files are read at a time. 8 when absent. */
  readonly filesAheadMax?: number;
  /** How many events may wait to become durable. 64 when absent. */
  readonly eventsPendingMax?: number;
  /** The least time between two reports of progress. 250 ms when absent. */
  readonly progressIntervalMs?: number;
  /** The longest Markdown report. 64 KiB when absent. */
  readonly reportBytesMax?: number;
  /** Where `git` is looked for, in the form of PATH. */
  readonly gitSearchPath?: string;
  /** 30 s when absent; then the directory is walked instead. */
  readonly gitTimeoutMs?: number;
  /** The longest list that is taken from git. 64 MiB when absent; beyond it the directory is walked instead. */
  readonly listBytesMax?: number;
  /** A clock in milliseconds that never goes back. */
  readonly nowMs?: () => number;
  /** Waits. Rejects when the signal aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const DEFAULTS = {
  fileBytesMax: 1_048_576,
  filesMax: 100_000,
  filesAheadMax: 8,
  eventsPendingMax: 64,
  progressIntervalMs: 250,
  reportBytesMax: 65_536,
  gitSearchPath: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
  gitTimeoutMs: 30_000,
  listBytesMax: 67_108_864,
  nowMs: () => performance.now(),
  sleep: async (ms: number, signal: AbortSignal) => {
    await sleepFor(ms, undefined, { signal });
  },
};

const PATH_ARGUMENT_CHARS_MAX = 4_096;
const PAUSE_MS_MAX = 1_000;

/** @throws TypeError when a root is not an absolute path */
export function createAuditRepository(options: AuditOptions): Tool {
  checkRoots(options.roots);
  const o = { ...DEFAULTS, ...options };
  return defineTool({
    name: 'audit_repository',
    title: 'Audit a repository',
    description:
      'Looks at every file of a git work tree on the worker (tracked files, and untracked ones that are not ignored) ' +
      'and reports languages, sizes, longest lines, notes such as TODO, likely secrets (masked), and licence notices. ' +
      `Emits one event a file (${FILE_EVENT}); ends with a summary and a Markdown report. Needs no network. ` +
      'Submodules are noted and not entered: audit them by their own path. A directory that is no work tree is walked.',
    inputSchema: z.strictObject({
      path: z
        .string()
        .min(1, 'expected a path')
        .max(PATH_ARGUMENT_CHARS_MAX)
        .refine((path) => !path.includes('\0'), 'expected a path without a NUL character')
        .describe('The directory: absolute, or relative to the first directory that the worker may read.'),
      pauseMs: z
        .int()
        .min(0)
        .max(PAUSE_MS_MAX)
        .default(0)
        .describe('How long to wait between files, in milliseconds: gentle on a shared disk.'),
      filesMax: z
        .int()
        .min(1)
        .max(o.filesMax)
        .default(o.filesMax)
        .describe('At most this many files, in byte order of their paths.'),
    }),
    outputSchema: Summary,
    run: async (input, task) => {
      const summary = await audit(input, task, o);
      return {
        content: [{ type: 'text', text: renderReport(summary, o.reportBytesMax) }],
        structuredContent: summary,
      };
    },
  });
}

interface AuditInput {
  readonly path: string;
  readonly pauseMs: number;
  readonly filesMax: number;
}

async function audit(input: AuditInput, task: Task, o: Required<AuditOptions>): Promise<Summary> {
  const at = await resolveInRoots(o.roots, input.path);
  await task.status('Listing the files');
  const listing = await listFiles(at, { ...o, filesMax: input.filesMax, signal: task.signal });
  task.signal.throwIfAborted();

  const total = listing.files.length;
  await task.status(`Auditing ${total} ${total === 1 ? 'file' : 'files'}`);
  const totals = createTotals();
  const sent = createPendingWindow(o.eventsPendingMax);
  // Who asks for pauses wants one file at a time.
  const ahead = input.pauseMs > 0 ? 1 : o.filesAheadMax;
  const outcomes = mapInOrder(listing.files, ahead, (file) => {
    task.signal.throwIfAborted();
    return auditFile(at.directory, file, o.fileBytesMax, task.signal);
  });
  let done = 0;
  let progressAtMs = o.nowMs();
  for await (const outcome of outcomes) {
    task.signal.throwIfAborted();
    totals.add(outcome);
    await sent.add(task.emit(FILE_EVENT, fileEvent(outcome)));
    done += 1;
    const nowMs = o.nowMs();
    if (done === total || nowMs - progressAtMs >= o.progressIntervalMs) {
      progressAtMs = nowMs;
      await sent.add(task.progress(done, total));
    }
    if (input.pauseMs > 0 && done < total) await pause(input.pauseMs, task.signal, o);
  }
  await sent.drain();
  await task.status('Writing the report');
  return totals.finish(at.name, listing);
}

async function pause(ms: number, signal: AbortSignal, o: Required<AuditOptions>): Promise<void> {
  try {
    await o.sleep(ms, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
