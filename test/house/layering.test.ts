/** The direction of dependencies holds in the tree, and the check can fail. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkLayering, DIRECTION, type Workspace } from './layering.js';
import { scanImports } from './scan-imports.js';
import { readWorkspaces, ROOT } from './workspaces.js';

describe('the tree', () => {
  const workspaces = readWorkspaces();

  it('keeps the direction of dependencies', () => {
    const report = checkLayering(workspaces);
    expect(report.violations).toEqual([]);
    expect(report.filesScanned).toBeGreaterThan(20);
    expect(report.importsSeen).toBeGreaterThan(50);
  });

  it('has no import that the scanner passes over', () => {
    let lines = 0;
    for (const { path, text } of workspaces.flatMap((w) => w.sources)) {
      const plain = [...text.matchAll(/^(?:import|export)\b(?:[^'"`;]*\bfrom)? '([^']+)'/gm)].map((m) => m[1]);
      const scanned = scanImports(text).map((i) => i.specifier);
      expect({ path, missed: plain.filter((specifier) => !scanned.includes(specifier as string)) }).toEqual({
        path,
        missed: [],
      });
      lines += plain.length;
    }
    expect(lines).toBeGreaterThan(50);
  });

  it('is built as a whole: the root refers to every workspace and to the tests', () => {
    const root: { references: { path: string }[] } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
    expect(root.references.map((r) => r.path).toSorted()).toEqual(
      [...workspaces.map((w) => w.dir), 'examples', 'test'].toSorted(),
    );
  });
});

/** A small tree of two libraries and a service that breaks no rule. */
function sample(
  change: Record<string, string> = {},
  more: Partial<Record<string, Partial<Workspace>>> = {},
): Workspace[] {
  const files: Record<string, string> = {
    'libs/protocol/src/index.ts': `export { a } from './a.js';`,
    'libs/protocol/src/a.ts': `export const a = 1;`,
    'libs/core/src/index.ts': `import { a } from '@taskstream/protocol';\nimport * as z from 'zod';\nexport const b = [a, z];`,
    'libs/jetstream/src/index.ts': `import { connect } from '@nats-io/transport-node';\nimport { b } from '@taskstream/core';`,
    'libs/jetstream/src/config.ts': `export const url = process.env['NATS_URL'];`,
    'services/cli/src/main.ts': `import { a } from '@taskstream/protocol';\nimport.meta.resolve('@taskstream/front-end/main');`,
    'services/front-end/src/main.ts': `import { b } from '@taskstream/jetstream';`,
    ...change,
  };
  const workspace = (
    dir: string,
    name: string,
    dependencies: string[],
    references: string[],
    exports = ['.'],
  ): Workspace => ({
    dir,
    name: `@taskstream/${name}`,
    dependencies,
    references,
    exports,
    sources: Object.entries(files)
      .filter(([path]) => path.startsWith(`${dir}/`))
      .map(([path, text]) => ({ path, text })),
    ...more[dir],
  });
  return [
    workspace('libs/protocol', 'protocol', ['zod'], []),
    workspace('libs/core', 'core', ['@taskstream/protocol', 'zod'], ['libs/protocol']),
    workspace(
      'libs/jetstream',
      'jetstream',
      ['@taskstream/core', '@taskstream/protocol', '@nats-io/transport-node'],
      ['libs/core', 'libs/protocol'],
    ),
    workspace('services/front-end', 'front-end', ['@taskstream/jetstream'], ['libs/jetstream'], ['./main']),
    workspace('services/cli', 'cli', ['@taskstream/protocol', '@taskstream/front-end'], ['libs/protocol']),
  ];
}

const SAMPLE_DIRECTION = Object.fromEntries(sample().map(({ dir }) => [dir, DIRECTION[dir] ?? { imports: [] }]));
const violations = (tree: Workspace[]): readonly string[] => checkLayering(tree, SAMPLE_DIRECTION).violations;

/** What is planted, where, and what the check must say. */
const PLANTS: [string, Record<string, string>, RegExp][] = [
  [
    'an upward import',
    { 'libs/protocol/src/a.ts': `import { b } from '@taskstream/core';` },
    /^libs\/protocol\/src\/a\.ts:1: libs\/protocol may not import libs\/core$/,
  ],
  [
    'an upward import of types only',
    { 'libs/core/src/index.ts': `\nimport type { B } from '@taskstream/jetstream';` },
    /^libs\/core\/src\/index\.ts:2: libs\/core may not import libs\/jetstream$/,
  ],
  [
    'an upward dynamic import',
    { 'libs/core/src/index.ts': `const b = await import('@taskstream/jetstream');` },
    /libs\/core may not import libs\/jetstream/,
  ],
  [
    'an upward type of an import',
    { 'libs/core/src/index.ts': `type B = import('@taskstream/jetstream').B;` },
    /libs\/core may not import libs\/jetstream/,
  ],
  [
    'an upward re-export',
    { 'libs/core/src/index.ts': `export { b } from '@taskstream/jetstream';` },
    /libs\/core may not import libs\/jetstream/,
  ],
  [
    'a library that imports a service',
    { 'libs/jetstream/src/index.ts': `import '@taskstream/front-end/main';` },
    /libs\/jetstream may not import services\/front-end/,
  ],
  [
    'a service that imports what it may only start',
    { 'services/cli/src/main.ts': `import '@taskstream/front-end/main';` },
    /services\/cli may not import services\/front-end/,
  ],
  [
    'a path into another package',
    { 'libs/core/src/index.ts': `import { a } from '../../protocol/src/a.js';` },
    /reaches out of its package by path/,
  ],
  [
    'a door that is not there',
    { 'libs/core/src/index.ts': `import { a } from '@taskstream/protocol/dist/a.js';` },
    /@taskstream\/protocol has no door \.\/dist\/a\.js/,
  ],
  ['an unknown workspace', { 'libs/core/src/index.ts': `import '@taskstream/utils';` }, /no such workspace/],
  ['a relative import of nothing', { 'libs/core/src/index.ts': `import './nothing.js';` }, /no such file/],
  ['a relative import of .ts', { 'libs/protocol/src/index.ts': `import './a.ts';` }, /end in \.js/],
  ['a package that imports itself', { 'libs/core/src/index.ts': `import '@taskstream/core';` }, /imports itself/],
  [
    'the broker in the core',
    { 'libs/core/src/index.ts': `import type { Msg } from '@nats-io/nats-core';` },
    /only libs\/jetstream knows the broker/,
  ],
  ['the old broker client', { 'services/cli/src/main.ts': `import 'nats';` }, /only libs\/jetstream knows the broker/],
  [
    'a package that is not declared',
    { 'libs/core/src/index.ts': `import 'fastify/plugin';` },
    /fastify is not in the dependencies of libs\/core/,
  ],
  ['export star', { 'libs/protocol/src/index.ts': `export * from './a.js';` }, /export \* from/],
  [
    'process.env outside config',
    { 'services/cli/src/main.ts': `import 'node:fs';\nf(process.env.A);` },
    /main\.ts: 2: process\.env/,
  ],
  ['process.env by destructuring', { 'services/cli/src/main.ts': `const { env } = process;` }, /process\.env/],
  ['process.env by import', { 'services/cli/src/main.ts': `import { env } from 'node:process';` }, /process\.env/],
  ['I/O in the core', { 'libs/core/src/index.ts': `import 'node:fs';` }, /runs without Node/],
  ['a builtin without node:', { 'services/cli/src/main.ts': `import 'fs';` }, /write node:fs/],
  ['a clock in the core', { 'libs/core/src/index.ts': `const now = Date.now();` }, /Date\.now in a pure library/],
  ['a date in the core', { 'libs/core/src/index.ts': `const now = new Date();` }, /new Date\(\)/],
  ['randomness in the core', { 'libs/core/src/index.ts': `Math.random();` }, /Math\.random in a pure library/],
  ['an absolute path', { 'libs/core/src/index.ts': `import '/etc/x.js';` }, /not a package/],
];

describe('the check can fail', () => {
  it('passes a tree that breaks no rule', () => {
    const report = checkLayering(sample(), SAMPLE_DIRECTION);
    expect(report.violations).toEqual([]);
    expect(report.filesScanned).toBe(7);
    expect(report.importsSeen).toBe(8);
  });

  it.each(PLANTS)('catches %s', (_name, change, wanted) => {
    expect(violations(sample(change)).some((v) => wanted.test(v))).toBe(true);
  });

  it('catches a workspace import that package.json or tsconfig.json does not declare', () => {
    expect(violations(sample({}, { 'libs/core': { dependencies: ['zod'] } }))).toEqual([
      'libs/core/src/index.ts:1: @taskstream/protocol is not in the dependencies of libs/core/package.json',
    ]);
    expect(violations(sample({}, { 'libs/core': { references: [] } }))).toEqual([
      'libs/core/src/index.ts:1: libs/protocol is not in the references of libs/core/tsconfig.json',
    ]);
  });

  it('catches declarations against the direction, even when nothing uses them', () => {
    expect(violations(sample({}, { 'libs/protocol': { dependencies: ['zod', '@taskstream/core'] } }))).toEqual([
      'libs/protocol: package.json depends on libs/core',
    ]);
    expect(violations(sample({}, { 'libs/protocol': { references: ['libs/core'] } }))).toEqual([
      'libs/protocol: tsconfig.json refers to libs/core, against the direction',
    ]);
    expect(violations(sample({}, { 'libs/protocol': { dependencies: ['zod', '@nats-io/kv'] } }))).toEqual([
      'libs/protocol: package.json depends on @nats-io/kv: only libs/jetstream knows the broker',
    ]);
  });

  it('catches a package without a row, a row without a package, and a package without sources', () => {
    expect(checkLayering(sample(), { ...SAMPLE_DIRECTION, 'libs/new': { imports: [] } }).violations).toEqual([
      'libs/new: is in the table, but not in the tree',
    ]);
    const { 'services/cli': _row, ...rest } = SAMPLE_DIRECTION;
    expect(checkLayering(sample(), rest).violations).toEqual(['services/cli: is not in the table of directions']);
    expect(violations(sample({}, { 'services/cli': { sources: [] } }))).toEqual([
      'services/cli: no source file was found',
    ]);
  });

  it('lets one door of a browser-safe library use Node, and nothing behind it', () => {
    const client = (files: Record<string, string>): readonly string[] =>
      checkLayering(
        [
          {
            dir: 'libs/client',
            name: '@taskstream/client',
            dependencies: [],
            exports: ['.', './node'],
            references: [],
            sources: Object.entries(files).map(([path, text]) => ({ path: `libs/client/src/${path}`, text })),
          },
        ],
        { 'libs/client': { imports: [], browserSafe: true, nodeDoor: 'libs/client/src/node.ts' } },
      ).violations;
    expect(client({ 'node.ts': `import 'node:fs';\nimport './a.js';`, 'a.ts': '' })).toEqual([]);
    expect(client({ 'node.ts': '', 'a.ts': `import 'node:fs';` })).toEqual([
      'libs/client/src/a.ts:1: libs/client runs without Node: node:fs',
    ]);
    expect(client({ 'node.ts': '', 'a.ts': `import './node.js';` })).toEqual([
      `libs/client/src/a.ts:1: only Node's users come through this door: ./node.js`,
    ]);
  });

  it('fails when it scanned nothing', () => {
    expect(() => checkLayering([], {})).toThrow('scanned no file');
    const empty = sample().map((w) => ({ ...w, sources: [] }));
    expect(() => checkLayering(empty, SAMPLE_DIRECTION)).toThrow('scanned no file');
    const silent = sample().map((w) => ({ ...w, sources: w.sources.map((s) => ({ ...s, text: 'export {};' })) }));
    expect(() => checkLayering(silent, SAMPLE_DIRECTION)).toThrow('saw no import');
  });
});

describe('the table of directions', () => {
  it('has no cycle and names only its own rows', () => {
    const done = new Set<string>();
    let last = -1;
    while (done.size > last) {
      last = done.size;
      for (const [dir, rule] of Object.entries(DIRECTION)) {
        if (rule.imports.every((d) => done.has(d))) done.add(dir);
      }
    }
    expect([...done].toSorted()).toEqual(Object.keys(DIRECTION).toSorted());
  });

  it('lets no library import a service, and only libs/jetstream know the broker', () => {
    for (const [dir, rule] of Object.entries(DIRECTION)) {
      expect({ dir, services: rule.imports.filter((d) => d.startsWith('services/')) }).toEqual({ dir, services: [] });
      expect(rule.broker === true).toBe(dir === 'libs/jetstream');
    }
  });
});
