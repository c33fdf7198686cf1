/**
 * The cursor store for Node: one small JSON file, replaced atomically.
 *
 * Invariants: the file is always a whole one, because it is written beside and renamed; saves run one after the
 * other; a file that is not a cursor file is refused, never overwritten. One process a file.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { CursorStore } from './cursor-store.js';

const CursorFile = z.strictObject({
  version: z.literal(1),
  /** taskId → seq of the last processed event, the latest saved last. */
  cursors: z.record(z.string(), z.int().nonnegative()),
});

export interface FileCursorStoreOptions {
  /** Tasks that are remembered; beyond it the one that was saved longest ago is forgotten. Default: 1000. */
  readonly tasksMax?: number;
  /** Wait until each save is on the disk, so that it survives a power cut. Default: false. */
  readonly sync?: boolean;
}

/** Keeps cursors in a file. Errors name the file and what is wrong with it. */
export class FileCursorStore implements CursorStore {
  readonly #path: string;
  readonly #tasksMax: number;
  readonly #sync: boolean;
  #cursors: Map<string, number> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, options: FileCursorStoreOptions = {}) {
    this.#path = path;
    this.#tasksMax = options.tasksMax ?? 1000;
    this.#sync = options.sync ?? false;
  }

  load(taskId: string): Promise<number | undefined> {
    return this.#inTurn(async () => (await this.#read()).get(taskId));
  }

  save(taskId: string, seq: number): Promise<void> {
    return this.#inTurn(async () => {
      const cursors = await this.#read();
      cursors.delete(taskId);
      cursors.set(taskId, seq);
      for (const oldest of cursors.keys()) {
        if (cursors.size <= this.#tasksMax) break;
        cursors.delete(oldest);
      }
      await this.#write(cursors);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #read(): Promise<Map<string, number>> {
    this.#cursors ??= new Map(Object.entries(parseFile(await readIfThere(this.#path), this.#path)));
    return this.#cursors;
  }

  async #write(cursors: ReadonlyMap<string, number>): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const beside = `${this.#path}.new`;
    try {
      const file = await open(beside, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify({ version: 1, cursors: Object.fromEntries(cursors) })}\n`);
        if (this.#sync) await file.datasync();
      } finally {
        await file.close();
      }
      await rename(beside, this.#path);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    // A save would put a file in the place of a device.
    if (!(await stat(path)).isFile()) throw new Error(`${path}: expected a regular file, or none`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseFile(content: string | undefined, path: string): Readonly<Record<string, number>> {
  if (content === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw new Error(`${path} is not a cursor file: expected JSON`);
  }
  const parsed = CursorFile.safeParse(value);
  if (parsed.success) return parsed.data.cursors;
  throw new Error(`${path} is not a cursor file: ${z.prettifyError(parsed.error)}`);
}
