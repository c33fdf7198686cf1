/**
 * Checkpoints of a running attempt: of what the tool saves, the last value is made durable as fast as acks come.
 *
 * Invariants: one write a name is in flight; a value that comes meanwhile replaces the one that waits, and all who
 * saved are told when theirs or a later one is durable; a value is saved only when every event that was emitted before
 * it is durable; the last one saved is written before the attempt ends.
 */
import { StateName, type AttemptLog, type AttemptState, type EventDraft, type LimitHit } from '@taskstream/core';
import { describeIssues, SystemEvent } from '@taskstream/protocol';
import type * as z from 'zod';
import { afterMs } from './long-timer.js';
import { messageOf, StateMisuse } from './tool-errors.js';

export interface CheckpointBounds {
  readonly checkpointBytesMax: number;
  /** Names of one attempt. */
  readonly checkpointsMax: number;
  /** An event at most so often, a name. */
  readonly checkpointEventMs: number;
  readonly limitHit?: LimitHit | undefined;
}

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

interface Cell {
  /** The value that is to be saved next. */
  next: { readonly json: string; readonly bytes: number } | undefined;
  waiting: Settle[];
  saving: Promise<void> | undefined;
  /** What this attempt has saved last. */
  saved: string | undefined;
  /** Saves that no event has told yet, and the size of the last. */
  untold: number;
  bytes: number;
  toldAt: number;
  stopTimer: (() => void) | undefined;
}

export class CheckpointDesk {
  readonly #where: () => string;
  readonly #log: AttemptLog;
  readonly #state: AttemptState;
  readonly #bounds: CheckpointBounds;
  readonly #tell: (event: EventDraft) => void;
  readonly #cells = new Map<string, Cell>();

  constructor(
    where: () => string,
    log: AttemptLog,
    state: AttemptState,
    bounds: CheckpointBounds,
    tell: (event: EventDraft) => void,
  ) {
    this.#where = where;
    this.#log = log;
    this.#state = state;
    this.#bounds = bounds;
    this.#tell = tell;
  }

  /** Takes the value as it is now. @throws StateMisuse, TaskstreamError what the log or the state refuse */
  async save(value: unknown, name: string): Promise<void> {
    const cell = this.#cell(name);
    const json = this.#encode(name, value);
    cell.next = { json, bytes: Buffer.byteLength(json) };
    await new Promise<void>((resolve, reject) => {
      cell.waiting.push({ resolve, reject });
      cell.saving ??= this.#save(name, cell);
    });
  }

  /** @throws StateMisuse when the saved value breaks the schema; TaskstreamError fenced, log_unavailable */
  async restore<T>(schema: z.ZodType<T>, name: string): Promise<T | undefined> {
    const cell = this.#cell(name);
    await cell.saving;
    const json = cell.saved ?? (await this.#state.takeCheckpoint(name));
    if (json === undefined) return undefined;
    const value: unknown = JSON.parse(json);
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw this.#misuse(name, `what was saved breaks the schema: ${describeIssues(parsed.error, value, 'value')}`);
  }

  /** Resolves when nothing is left to be saved, and all saves have been told. */
  async settled(): Promise<void> {
    for (const cell of this.#cells.values()) await cell.saving;
    for (const [name, cell] of this.#cells) this.#tellNow(name, cell);
  }

  async #save(name: string, cell: Cell): Promise<void> {
    // A turn later, so that what is saved in one go is one save.
    await Promise.resolve();
    try {
      while (cell.next !== undefined) {
        const { json, bytes } = cell.next;
        const waiting = cell.waiting;
        cell.next = undefined;
        cell.waiting = [];
        try {
          await this.#log.settled();
          await this.#state.saveCheckpoint(name, json);
        } catch (error) {
          for (const w of [...waiting, ...cell.waiting]) w.reject(error);
          cell.waiting = [];
          cell.next = undefined;
          return;
        }
        cell.saved = json;
        cell.untold++;
        cell.bytes = bytes;
        this.#tellSoon(name, cell);
        for (const w of waiting) w.resolve();
      }
    } finally {
      cell.saving = undefined;
    }
  }

  #tellSoon(name: string, cell: Cell): void {
    if (cell.stopTimer !== undefined) return;
    const waitMs = cell.toldAt + this.#bounds.checkpointEventMs - performance.now();
    if (waitMs <= 0) this.#tellNow(name, cell);
    else cell.stopTimer = afterMs(waitMs, () => this.#tellNow(name, cell));
  }

  #tellNow(name: string, cell: Cell): void {
    cell.stopTimer?.();
    cell.stopTimer = undefined;
    if (cell.untold === 0) return;
    const payload = { name, bytes: cell.bytes, saves: cell.untold };
    cell.untold = 0;
    cell.toldAt = performance.now();
    this.#tell({ type: SystemEvent.checkpointSaved, payload });
  }

  #cell(name: string): Cell {
    const known = this.#cells.get(name);
    if (known !== undefined) return known;
    const parsed = StateName.safeParse(name);
    if (!parsed.success) throw this.#misuse(String(name), describeIssues(parsed.error, name, 'name'));
    if (this.#cells.size >= this.#bounds.checkpointsMax) {
      this.#bounds.limitHit?.('checkpointsMax');
      throw this.#misuse(name, `more than ${this.#bounds.checkpointsMax} names of checkpoints (checkpointsMax)`);
    }
    const cell: Cell = {
      next: undefined,
      waiting: [],
      saving: undefined,
      saved: undefined,
      untold: 0,
      bytes: 0,
      toldAt: Number.NEGATIVE_INFINITY,
      stopTimer: undefined,
    };
    this.#cells.set(name, cell);
    return cell;
  }

  #encode(name: string, value: unknown): string {
    let json: string | undefined;
    try {
      json = JSON.stringify(value);
    } catch (error) {
      throw this.#misuse(name, `the value cannot be encoded as JSON: ${messageOf(error)}`);
    }
    if (json === undefined) throw this.#misuse(name, `the value cannot be encoded as JSON: it is ${typeof value}`);
    const bytes = Buffer.byteLength(json);
    if (bytes > this.#bounds.checkpointBytesMax) {
      const { checkpointBytesMax, limitHit } = this.#bounds;
      limitHit?.('checkpointBytesMax');
      throw this.#misuse(name, `the value has ${bytes} bytes, at most ${checkpointBytesMax} (checkpointBytesMax)`);
    }
    return json;
  }

  #misuse(name: string, what: string): StateMisuse {
    return new StateMisuse(`Checkpoint ${JSON.stringify(name)} of ${this.#where()}: ${what}`);
  }
}
