import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { FIGURES } from './figures.js';
import { QUICK } from './scale.js';
import { formatNumber, rowsOf, tableOf } from './report.js';
import { NumberScanner } from './sse-socket.js';
import { percentile } from './statistics.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const run = promisify(execFile);

const bench = (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', MAIN, ...args], { cwd: ROOT, maxBuffer: 1024 * 1024 });

const Report = z.object({
  ground: z.object({ quick: z.literal(true), natsServers: z.literal(1) }),
  rows: z.array(z.looseObject({ id: z.string(), title: z.string(), value: z.number(), unit: z.string() })),
});

describe('npm run bench', () => {
  it('measures every figure that it knows', { timeout: 240_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'taskstream-bench-'));
    try {
      const file = join(dir, 'figures.json');
      const { stdout } = await bench('--quick', '--json', file);
      const { rows } = Report.parse(JSON.parse(await readFile(file, 'utf8')));
      expect(rows.map((row) => row.id)).toEqual(Object.keys(FIGURES));
      expect(rows.filter((row) => !Number.isFinite(row.value))).toEqual([]);
      for (const row of rows) expect(stdout).toContain(row.title);
      expect(stdout).toContain('QUICK RUN');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('refuses an option that it does not know, and says what there is', async () => {
    await expect(bench('--fast')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('--quick') });
    await expect(bench('--only', 'append,lunch')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--only'),
    });
  });
});

describe('the report', () => {
  const values = Object.fromEntries(Object.keys(FIGURES).map((id) => [id, 10]));

  it('names a figure that is missing or not finite', () => {
    expect(() => rowsOf(['replay'], { ...values, 'replay.10': Number.NaN }, QUICK)).toThrow(/replay\.10$/);
    const { 'append.bare.many': _, ...rest } = values;
    expect(() => rowsOf(['append'], rest, QUICK)).toThrow(/append\.bare\.many$/);
  });

  it('judges a value or its ratio to the bare client', () => {
    const rows = rowsOf(
      ['append', 'memory'],
      { ...values, 'append.many.single': 5, 'append.many.packed': 49, 'memory.one.rss': 12 },
      QUICK,
    );
    const row = (id: string) => rows.find((r) => r.id === id);
    expect(row('append.many.single')).toMatchObject({ ratio: 0.5, holds: true });
    expect(row('append.many.packed')).toMatchObject({ ratio: 4.9, holds: false });
    expect(row('memory.one.rss')).toMatchObject({ holds: true });
    expect(row('append.bare.many')).not.toHaveProperty('holds');
    expect(tableOf(rows)).toMatch(/10 tasks, packed +49\.0 events\/s +4\.90 × +≥ 5 × bare +MISSED/);
  });

  it('writes three digits, and whole numbers from 100 on', () => {
    expect([0, 0.1234, 1.234, 99.94, 123.6, 123_456.7].map(formatNumber)).toEqual([
      '0.00',
      '0.12',
      '1.23',
      '99.9',
      '124',
      '123,457',
    ]);
  });
});

describe('percentile', () => {
  it('is the smallest sample that the share does not exceed', () => {
    const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect([0, 0.5, 0.99, 1].map((share) => percentile(samples, share))).toEqual([1, 100, 198, 200]);
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe('the scanner of streams', () => {
  it('finds the same numbers however the bytes are cut', () => {
    const text = Buffer.from('x"seq":0,"seq":12,"sseq":7 "seq":"seq":345}');
    const read = (cuts: ReadonlyArray<number>) => {
      const found: number[] = [];
      const scanner = new NumberScanner('"seq":', (value) => found.push(value));
      let from = 0;
      for (const to of [...cuts, text.length]) {
        scanner.feed(text.subarray(from, to));
        from = to;
      }
      return found;
    };
    const whole = read([]);
    expect(whole).toEqual([0, 12, 0, 345]);
    for (let a = 0; a <= text.length; a++) {
      for (let b = a; b <= text.length; b++) expect(read([a, b])).toEqual(whole);
    }
  });
});
