/** The list of invariants is complete in itself: numbered without holes, and every path that it cites exists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './workspaces.js';

interface Entry {
  readonly number: number;
  readonly enforcedBy: string;
  readonly paths: readonly string[];
}

function entriesOf(text: string): Entry[] {
  return text
    .split(/^(?=\*\*I\d+\. )/m)
    .filter((block) => block.startsWith('**I'))
    .map((block) => {
      const enforcedBy = /^Enforced by ([\s\S]+?)(?=\n\n|\n*$(?![\s\S]))/m.exec(block)?.[1] ?? '';
      const code = [...enforcedBy.matchAll(/`([^`]+)`/g)].map((m) => m[1] as string);
      return {
        number: Number(/^\*\*I(\d+)\./.exec(block)?.[1]),
        enforcedBy,
        paths: code.filter((c) => c.includes('/') || c.startsWith('.')),
      };
    });
}

describe('INVARIANTS.md', () => {
  const entries = entriesOf(readFileSync(join(ROOT, 'libs/core/INVARIANTS.md'), 'utf8'));

  it('is numbered without holes', () => {
    expect(entries.length).toBeGreaterThan(20);
    expect(entries.map((e) => e.number)).toEqual(entries.map((_e, i) => i + 1));
  });

  it.each(entries)('I$number names what enforces it, and that exists', ({ enforcedBy, paths }) => {
    expect(enforcedBy).not.toBe('');
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('is read by a check that can fail', () => {
    const [entry] = entriesOf('# x\n\n**I1. A.** Text `a/b`.\nEnforced by `libs/nothing.ts` and\n`test/none.ts`.\n');
    expect(entry).toMatchObject({ number: 1, paths: ['libs/nothing.ts', 'test/none.ts'] });
    expect(entriesOf('**I2. A.** Text.\n\n**I4. B.** Text.\n')).toMatchObject([
      { number: 2, enforcedBy: '', paths: [] },
      { number: 4, enforcedBy: '', paths: [] },
    ]);
  });
});
