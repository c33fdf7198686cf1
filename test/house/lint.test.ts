/**
 * The linter is alive: each rule that the house relies on, type-aware ones included, goes red on a planted fault.
 * A linter that lost its configuration or its type checker would otherwise pass everything.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DIRECTION } from './layering.js';
import { readWorkspaces, ROOT } from './workspaces.js';

/** Path, source, and the rules that must speak up about it. */
const PLANTS: readonly (readonly [string, string, readonly string[]])[] = [
  ['libs/jetstream/src/floating.ts', 'Promise.resolve(1);', ['typescript(no-floating-promises)']],
  [
    'libs/jetstream/src/misused.ts',
    'export const f = (go: () => Promise<void>): void => [1].forEach(go);',
    ['typescript(no-misused-promises)'],
  ],
  [
    'libs/jetstream/src/thenable.ts',
    'export async function f(n: number): Promise<number> {\n  return await n;\n}',
    ['typescript(await-thenable)'],
  ],
  ['libs/jetstream/src/any.ts', 'export const f = (a: any): string => a;', ['typescript(no-explicit-any)']],
  ['libs/jetstream/src/json.ts', 'export const a: number = JSON.parse("1");', ['typescript(no-unsafe-assignment)']],
  ['libs/jetstream/src/eq.ts', 'export const f = (a: unknown): boolean => a == null;', ['eslint(eqeqeq)']],
  ['libs/jetstream/src/console.ts', 'console.log(1);', ['eslint(no-console)']],
  ['libs/jetstream/src/env.ts', 'export const a = process.env;', ['node(no-process-env)']],
  ['libs/jetstream/src/empty.ts', 'try {\n  f();\n} catch {}\nfunction f(): void {}', ['eslint(no-empty)']],
  ['libs/jetstream/src/a.ts', `import { b } from './b.js';\nexport const a = (): unknown => b;`, ['import(no-cycle)']],
  ['libs/jetstream/src/b.ts', `import { a } from './a.js';\nexport const b = (): unknown => a;`, ['import(no-cycle)']],
  [
    'libs/jetstream/src/type.ts',
    `import { A } from './shape.js';\nexport const a: A = 1;`,
    ['typescript(consistent-type-imports)'],
  ],
  ['libs/core/src/clock.ts', 'export const now = Date.now();', ['eslint(no-restricted-properties)']],
  ['libs/core/src/timer.ts', 'setTimeout(() => undefined, 1);', ['eslint(no-restricted-globals)']],
  ['libs/core/src/io.ts', `import 'node:fs';`, ['eslint(no-restricted-imports)']],
  ['services/worker/src/up.ts', `import '@nats-io/jetstream';`, ['eslint(no-restricted-imports)']],
  ['services/cli/src/broker.ts', `import '@nats-io/jetstream';`, ['eslint(no-restricted-imports)']],
  [
    'test/focused.test.ts',
    `import { expect, it } from 'vitest';\nit.only('a', () => expect(1).toBe(1));`,
    ['vitest(no-focused-tests)'],
  ],
  [
    'test/skipped.test.ts',
    `import { expect, it } from 'vitest';\nit.skip('a', () => expect(1).toBe(1));`,
    ['vitest(no-disabled-tests)'],
  ],
  ['test/hollow.test.ts', `import { it } from 'vitest';\nit('a', () => {});`, ['vitest(expect-expect)']],
];

/** What the direction and the exceptions allow. */
const CLEAN: readonly (readonly [string, string])[] = [
  ['libs/core/src/down.ts', `export { a } from '@taskstream/protocol';`],
  ['libs/client/src/down.ts', `export { a } from '@taskstream/protocol';`],
  ['libs/client/src/node.ts', `export { readFile } from 'node:fs/promises';`],
  [
    'libs/jetstream/src/down.ts',
    `export { connect } from '@nats-io/transport-node';\nexport { a } from '@taskstream/core';`,
  ],
  ['libs/jetstream/src/shape.ts', 'export type A = number;'],
  ['libs/jetstream/src/config.ts', 'export const url = process.env;'],
  ['services/cli/src/down.ts', `export { a } from '@taskstream/client';\nexport { b } from '@taskstream/embedded';`],
  ['services/cli/src/print.ts', 'console.log(1);'],
];

/** One file for each pair of workspaces: the linter and the layering check must agree on the direction. */
const PAIRS = readWorkspaces().flatMap((from, _i, all) =>
  all
    .filter((to) => to !== from)
    .map((to) => ({
      path: `${from.dir}/src/to-${to.dir.replace('/', '-')}.ts`,
      text: `export { a } from '${to.name}';`,
      allowed: DIRECTION[from.dir]?.imports.includes(to.dir) === true,
    })),
);

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

describe('oxlint with the configuration of the house', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lint-gate-'));
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const compilerOptions = { strict: true, module: 'NodeNext', target: 'ES2023', lib: ['ES2023', 'DOM'], types: [] };
  for (const [file, source] of [
    ...PLANTS,
    ...CLEAN,
    ...PAIRS.map(({ path, text }) => [path, text] as const),
    ['tsconfig.json', JSON.stringify({ compilerOptions, include: ['libs', 'services', 'test'] })] as const,
  ]) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), source);
  }
  copyFileSync(join(ROOT, '.oxlintrc.json'), join(dir, '.oxlintrc.json'));
  const bin = join(ROOT, 'node_modules/.bin/oxlint');
  const { status, stdout, stderr } = spawnSync(bin, ['--type-aware', '--deny-warnings', '--format', 'json'], {
    cwd: dir,
    encoding: 'utf8',
  });
  const report = (): Diagnostic[] => {
    const { diagnostics }: { diagnostics: Diagnostic[] } = JSON.parse(stdout);
    return diagnostics;
  };
  const codesOf = (path: string): string[] =>
    report()
      .filter((d) => d.filename.endsWith(path))
      .map((d) => d.code);

  it('fails, and says so', () => {
    expect(stderr).toBe('');
    expect(status).toBe(1);
  });

  it.each(PLANTS)('%s', (path, _text, codes) => {
    expect(codesOf(path)).toEqual(expect.arrayContaining([...codes]));
  });

  it.each(CLEAN)('%s is fine', (path) => {
    expect(codesOf(path).filter((code) => !code.startsWith('typescript(no-unsafe'))).toEqual([]);
  });

  it('agrees with the layering check on every pair of workspaces', () => {
    expect(PAIRS.length).toBeGreaterThanOrEqual(90);
    const verdicts = PAIRS.map(({ path }) => ({
      path,
      allowed: !codesOf(path).includes('eslint(no-restricted-imports)'),
    }));
    expect(verdicts).toEqual(PAIRS.map(({ path, allowed }) => ({ path, allowed })));
  });
});
