/** The scanner that the layering gate stands on, against sources that are easy to misread. */
import { describe, expect, it } from 'vitest';
import { scanDestructured, scanImports, scanPaths } from './scan-imports.js';

const found = (source: string): string[] =>
  scanImports(source).map((i) => `${i.kind}${i.typeOnly ? ' type' : ''} ${i.specifier}`);

const READ: [string, string, string[]][] = [
  ['a named import', `import { a, b as c } from './x.js';`, ['static ./x.js']],
  ['a default import', `import a from "x";`, ['static x']],
  ['default and named', `import a, { b } from 'x';`, ['static x']],
  ['a namespace', `import * as a from 'x';`, ['static x']],
  ['a side effect', `import 'x';`, ['static x']],
  ['type only', `import type { A } from 'x';`, ['static type x']],
  ['a type-only default', `import type A from 'x';`, ['static type x']],
  ['inline types', `import { type A, type B as C } from 'x';`, ['static x']],
  ['a default import called type', `import type from 'x';`, ['static x']],
  ['a default import called type, and names', `import type, { b } from 'x';`, ['static x']],
  ['names that are keywords', `import { from, type, as as from2 } from 'x';`, ['static x']],
  ['over several lines', `import {\n  a, // from 'no'\n  /* from 'no' */ b,\n} from\n  'x';`, ['static x']],
  ['without spaces', `import{a}from'x';import*as b from'y';`, ['static x', 'static y']],
  ['attributes', `import a from './a.json' with { type: 'json' };`, ['static ./a.json']],
  ['import equals', `import a = require('x');`, ['static x']],
  ['require', `const a = require('x');`, ['static x']],
  ['a re-export', `export { a, b as default } from 'x';`, ['re-export x']],
  ['a type re-export', `export type { A } from 'x';`, ['re-export type x']],
  ['export star', `export * from 'x';`, ['export-star x']],
  ['export star as', `export * as a from 'x';`, ['export-star x']],
  ['export type star', `export type * from 'x';`, ['export-star type x']],
  ['a dynamic import', `const a = await import('x');`, ['dynamic x']],
  ['a type of an import', `type A = import('x').B; let b: typeof import("y");`, ['dynamic x', 'dynamic y']],
  ['a dynamic import in a template', 'const a = `${await import("x")} text`;', ['dynamic x']],
  ['resolve', `import.meta.resolve('x');`, ['resolve x']],
  ['after a division', `const a = b / c; import('x'); const d = e / f;`, ['dynamic x']],
  ['after a regular expression with a quote', `const a = /['"\`]/; import 'x';`, ['static x']],
  ['after a regular expression with a slash in a class', `a = [/[/'"]/g, /\\//]; import 'x';`, ['static x']],
  ['after a returned regular expression', `function f() { return /"/; }\nimport 'x';`, ['static x']],
  ['after a division behind an increment', `let a = i++ / 2; import 'x'; a /= 2;`, ['static x']],
  ['after nested templates', 'const a = `a ${`b ${"}"} \\` c`} d`; import "x";', ['static x']],
  ['after an apostrophe in a comment', `// don't\nimport 'x'; /* it's */ import 'y';`, ['static x', 'static y']],
  ['after braces in a template', 'const a = `${{ b: { c: 1 } }.b.c}`; import "x";', ['static x']],
  ['after an escaped quote', `const a = 'it\\'s'; import 'x';`, ['static x']],
];

const IGNORED: [string, string][] = [
  ['a line comment', `// import { a } from 'x';`],
  ['a block comment', `/* import 'x'; export * from 'y'; */`],
  ['a doc comment', `/**\n * import { a } from 'x';\n */`],
  ['a string', `const a = "import { b } from 'x'";`],
  ['a template', "const a = `\nimport { b } from 'x';\nexport * from 'y';\n`;"],
  ['a regular expression', `const a = /import 'x'/;`],
  ['a method called import', `a.import('x'); a.require('y'); b.export;`],
  ['a property called import', `const a = { import: 'x', require: 'y' };`],
  ['a local export', `export { a, b };\nconst c = 'x';`],
  ['an export of a declaration', `export const from = 'x'; export type A = 'y'; export default 'z';`],
  ['import.meta', `const a = import.meta.url; const b = 'x';`],
  ['a computed dynamic import', `await import(pathToFileURL(file).href);`],
  ['words from and import in code', `const from = a; importer('x'); const important = 'y';`],
];

describe('scanImports', () => {
  it.each(READ)('reads %s', (_name, source, wanted) => {
    expect(found(source)).toEqual(wanted);
  });

  it.each(IGNORED)('ignores %s', (_name, source) => {
    expect(found(source)).toEqual([]);
  });

  it('tells lines and names', () => {
    const source = `\n/* \n */ import a, { type B, c as d, default as e } from 'x';\n\nexport * as f from 'y';`;
    expect(scanImports(source)).toEqual([
      { specifier: 'x', kind: 'static', typeOnly: false, names: ['default', 'B', 'c', 'default'], line: 3 },
      { specifier: 'y', kind: 'export-star', typeOnly: false, names: ['*'], line: 5 },
    ]);
  });
});

describe('scanPaths', () => {
  it.each([
    'process.env',
    `process.env['A']`,
    `process['env']`,
    'process?.env',
    `process?.['env']`,
    'globalThis.process.env.A',
    'const a = `${process.env.A}`',
    'process\n  .env',
  ])('finds %j', (source) => {
    expect(scanPaths(source, ['process', 'env'])).toEqual([1]);
  });

  it.each(['process.environment', 'a.process.env', '// process.env', `'process.env'`, 'process; env', 'process.argv'])(
    'passes over %j',
    (source) => {
      expect(scanPaths(source, ['process', 'env'])).toEqual([]);
    },
  );

  it('finds the destructured spelling', () => {
    expect(scanDestructured(`\nconst { env } = process;`, 'process', 'env')).toEqual([2]);
    expect(scanDestructured(`const { argv, env: e } = process;`, 'process', 'env')).toEqual([1]);
    expect(scanDestructured(`const { argv } = process;`, 'process', 'env')).toEqual([]);
    expect(scanDestructured(`const { env } = settings;`, 'process', 'env')).toEqual([]);
  });
});
