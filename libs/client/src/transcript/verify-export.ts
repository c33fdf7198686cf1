/**
 * Says whether an exported stream is gap-free: every event of one task from the first line to the last, in order, each
 * once.
 *
 * Invariants: one pass, bounded memory: of the events only the next seq and the task are remembered; every fault has a
 * stable name; the check never throws on what it reads.
 */
import { RELATED_TASK_META_KEY, type TaskEvent, type TaskStatus } from '@taskstream/protocol';
import { isObject } from '../shape.js';
import { LINE_BYTES_MAX, readEventLines, type EventLine, type TextPieces } from './event-lines.js';
import { isEvent, isTerminalStatus, statusIn } from './transcript-event.js';

export const EXPORT_FAULTS = [
  /** A line that is not JSON, not UTF-8, not an event, or longer than `lineBytesMax`. */
  'malformed_line',
  /** The last line has no line break and is not an event: the file was cut off. */
  'truncated_last_line',
  /** An event of another task than the first one's. */
  'foreign_task',
  /** No related-task metadata, or that of another task. SEP-2694 §Task Event. */
  'wrong_related_task',
  /** Events are missing before this one. */
  'gap',
  /** An event that was there already, or that belongs before the last one. */
  'repeated_event',
  /** An event after the one that ended the task. */
  'event_after_end',
] as const;
export type ExportFaultName = (typeof EXPORT_FAULTS)[number];

export interface ExportFault {
  readonly fault: ExportFaultName;
  /** From 1. */
  readonly line: number;
  readonly seq?: number;
  readonly message: string;
}

export interface ExportReport {
  /** At least one event and no fault. */
  readonly gapFree: boolean;
  /** Gap-free, from the first event of the task to the one that ended it. */
  readonly complete: boolean;
  readonly taskId: string | undefined;
  readonly events: number;
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  /** How the task ended; undefined when its end is not in the export, or its server does not emit our status events. */
  readonly endedAs: TaskStatus | undefined;
  /** The first `faultsMax`. */
  readonly faults: readonly ExportFault[];
  readonly faultCount: number;
}

export interface VerifyOptions {
  /** The export continues after this seq. Default: it begins with 0. */
  readonly after?: number;
  /** Default: 100. */
  readonly faultsMax?: number;
  /** Default: 16 MiB. */
  readonly lineBytesMax?: number;
}

export async function verifyExport(pieces: TextPieces, options: VerifyOptions = {}): Promise<ExportReport> {
  const check = new ExportCheck(options);
  for await (const read of readEventLines(pieces, { lineBytesMax: options.lineBytesMax ?? LINE_BYTES_MAX })) {
    check.take(read);
  }
  return check.report();
}

class ExportCheck {
  readonly #first: number;
  readonly #faultsMax: number;
  readonly #faults: ExportFault[] = [];
  #faultCount = 0;
  #taskId: string | undefined;
  #events = 0;
  #firstSeq: number | undefined;
  #lastSeq: number | undefined;
  #endedAs: TaskStatus | undefined;

  constructor(options: VerifyOptions) {
    this.#first = options.after === undefined ? 0 : options.after + 1;
    this.#faultsMax = options.faultsMax ?? 100;
  }

  take(read: EventLine): void {
    const event = read.is === 'json' && isEvent(read.value) ? read.value : undefined;
    if (event !== undefined) this.#event(event, read.line);
    else if (read.ended) this.#fault('malformed_line', read.line, `Line ${read.line} ${WRONG[read.is]}`);
    else this.#fault('truncated_last_line', read.line, `Line ${read.line}, the last one, is cut off`);
  }

  #event(event: TaskEvent, line: number): void {
    const { seq, taskId } = event;
    this.#taskId ??= taskId;
    if (taskId !== this.#taskId) {
      this.#fault('foreign_task', line, 'An event of another task', seq);
      return;
    }
    if (!isRelated(event)) {
      this.#fault('wrong_related_task', line, `Event ${seq} does not carry the related-task metadata of its task`, seq);
    }
    const expected = this.#lastSeq === undefined ? this.#first : this.#lastSeq + 1;
    if (seq < expected) {
      const message = `Event ${seq} is here again or too late: expected ${expected}`;
      this.#fault('repeated_event', line, message, seq);
      return;
    }
    if (seq > expected) this.#fault('gap', line, `Events ${expected} to ${seq - 1} are missing`, seq);
    if (this.#endedAs !== undefined) this.#fault('event_after_end', line, `Event ${seq} comes after the end`, seq);
    this.#events += 1;
    this.#firstSeq ??= seq;
    this.#lastSeq = seq;
    const status = statusIn(event);
    if (isTerminalStatus(status)) this.#endedAs = status;
  }

  #fault(fault: ExportFaultName, line: number, message: string, seq?: number): void {
    this.#faultCount += 1;
    if (this.#faults.length >= this.#faultsMax) return;
    this.#faults.push({ fault, line, ...(seq !== undefined && { seq }), message });
  }

  report(): ExportReport {
    const gapFree = this.#faultCount === 0 && this.#events > 0;
    return {
      gapFree,
      complete: gapFree && this.#firstSeq === 0 && this.#endedAs !== undefined,
      taskId: this.#taskId,
      events: this.#events,
      firstSeq: this.#firstSeq,
      lastSeq: this.#lastSeq,
      endedAs: this.#endedAs,
      faults: this.#faults,
      faultCount: this.#faultCount,
    };
  }
}

const WRONG = {
  json: 'is not an event',
  'not-json': 'is not JSON',
  'not-utf8': 'is not UTF-8',
  'too-long': 'is too long',
} as const;

function isRelated(event: TaskEvent): boolean {
  const meta: unknown = event._meta;
  const related = isObject(meta) ? meta[RELATED_TASK_META_KEY] : undefined;
  return isObject(related) && related['taskId'] === event.taskId;
}
