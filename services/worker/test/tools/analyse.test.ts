import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  analyseText,
  createAnalyser,
  LINE_CHARS_SEARCHED_MAX,
  SECRETS_SHOWN_MAX,
  TODO_TEXT_CHARS_MAX,
  TODOS_SHOWN_MAX,
  type Analysis,
} from '../../src/tools/audit/analyse.js';
import { awsKeyId, BEGIN, githubToken, randomText } from './support/tokens.js';

function analyseCut(path: string, bytes: Uint8Array, cuts: ReadonlyArray<number>): Analysis {
  const analyser = createAnalyser(path);
  let at = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    if (cut > at && cut <= bytes.length) {
      analyser.push(bytes.subarray(at, cut));
      at = cut;
    }
  }
  return analyser.end();
}

describe('lines', () => {
  it.each([
    ['', 0, null],
    ['a', 1, { line: 1, length: 1 }],
    ['a\n', 1, { line: 1, length: 1 }],
    ['\n', 1, { line: 1, length: 0 }],
    ['a\n\n', 2, { line: 1, length: 1 }],
    ['a\nbb', 2, { line: 2, length: 2 }],
    ['aa\nbb\n', 2, { line: 1, length: 2 }],
    ['a\r\nbbb\r\n', 2, { line: 2, length: 3 }],
    ['a\rb', 1, { line: 1, length: 3 }],
    ['🦀\nab', 2, { line: 1, length: 2 }],
  ])('%j has %i', (text, lines, longestLine) => {
    expect(analyseText('a.txt', text)).toMatchObject({ lines, longestLine, linesClipped: 0 });
  });

  it('are measured to their end and searched to their bound', () => {
    const long = `${' '.repeat(LINE_CHARS_SEARCHED_MAX - 30)}${awsKeyId()}${'x '.repeat(100_000)}${awsKeyId(2)}`;
    const analysis = analyseText('a.txt', `short\n${long}\nshort\n`);
    expect(analysis.longestLine).toEqual({ line: 2, length: long.length });
    expect(analysis.linesClipped).toBe(1);
    expect(analysis.lines).toBe(3);
    // The first one is followed by an x, the second is beyond the bound.
    expect(analysis.secrets.first).toEqual([]);
    expect(analyseText('a.txt', long.replace('x', ' ')).secrets.first).toHaveLength(1);
  });

  it('of 10 MB', () => {
    const analysis = analyseText('a.json', Buffer.alloc(10_000_000, 'ab '));
    expect(analysis).toMatchObject({ lines: 1, longestLine: { line: 1, length: 10_000_000 }, linesClipped: 1 });
  });
});

describe('the whole file', () => {
  it('says what it holds', () => {
    const token = githubToken();
    const text = `#!/usr/bin/env node\n// SPDX-License-Identifier: MIT\n// TODO: tidy\nconst a = '${token}';\n// FIXME later\n`;
    expect(analyseText('bin/run', text)).toEqual({
      language: { name: 'JavaScript', category: 'code' },
      encoding: 'utf-8',
      lines: 5,
      longestLine: { line: 4, length: 53 },
      linesClipped: 0,
      todos: {
        byTag: { TODO: 1, FIXME: 1, HACK: 0, XXX: 0 },
        first: [
          { line: 3, tag: 'TODO', text: 'TODO: tidy' },
          { line: 5, tag: 'FIXME', text: 'FIXME later' },
        ],
      },
      secrets: {
        byKind: { 'github-token': 1 },
        first: [{ line: 4, kind: 'github-token', excerpt: 'ghp_…(40 characters)' }],
      },
      licence: { id: 'MIT', source: 'tag' },
    });
  });

  it('counts all and shows the first', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `// TODO ${i} ${awsKeyId(i + 1)}`);
    const analysis = analyseText('a.ts', lines.join('\n'));
    expect(analysis.todos.byTag.TODO).toBe(40);
    expect(analysis.todos.first).toHaveLength(TODOS_SHOWN_MAX);
    expect(analysis.secrets.byKind).toEqual({ 'aws-access-key-id': 40 });
    expect(analysis.secrets.first).toHaveLength(SECRETS_SHOWN_MAX);
  });

  it('does not search lock files, but measures them', () => {
    const text = `"token": "${randomText(30)}" ${githubToken()} // TODO x\n`;
    expect(analyseText('package-lock.json', text)).toMatchObject({
      lines: 1,
      todos: { first: [] },
      secrets: { byKind: {} },
    });
  });

  it('reports a private key at the line where it begins', () => {
    const body = randomText(64, 3);
    const text = `a\n${BEGIN} RSA PRIVATE KEY-----\n\n${body}\n`;
    expect(analyseText('k.pem', text).secrets.first).toEqual([
      { line: 2, kind: 'private-key', excerpt: '-----BEGIN RSA PRIVATE KEY----- …' },
    ]);
  });

  it('is not thrown off by what is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xc0, 0x80, 0x0a]), Buffer.from(`x = ${awsKeyId()}\n// TODO y\n`)]);
    const analysis = analyseText('a.c', bytes);
    expect(analysis).toMatchObject({ encoding: 'unknown', lines: 3 });
    expect(analysis.secrets.first).toMatchObject([{ line: 2 }]);
    expect(analysis.todos.first).toMatchObject([{ line: 3 }]);
  });
});

describe('no secret gets out', () => {
  const password = 'hK8vQ2zRw1Lm';
  it.each([
    ['a.ts', `// TODO: rotate ${githubToken()} soon`, githubToken()],
    ['a.ts', `// TODO password = "${randomText(20)}"`, randomText(20)],
    ['test/a.ts', `// TODO password = "${randomText(20)}"`, randomText(20)],
    ['a.ts', `// TODO API_TOKEN=${randomText(20)} unquoted`, randomText(20)],
    ['a.ts', `// FIXME postgres://app:${password}@db.acme.com/x`, password],
    ['a.ts', `// TODO ${`${awsKeyId(4)} `.repeat(3)}`, awsKeyId(4)],
    ['a.ts', `// ${`${awsKeyId(4)} `.repeat(200)} TODO ${awsKeyId(5)}`, awsKeyId(5)],
  ])('through a note in %s: %s', (path, line, secret) => {
    const analysis = analyseText(path, line);
    expect(analysis.todos.first).toHaveLength(1);
    expect(JSON.stringify(analysis)).not.toContain(secret.slice(-10));
    expect(analysis.todos.first[0]?.text).toMatch(/\*{8}/);
    expect(analysis.todos.first[0]?.text.length).toBeLessThanOrEqual(TODO_TEXT_CHARS_MAX);
  });
});

it('the result does not depend on where the chunks are cut', () => {
  const line = fc.constantFrom(
    '// TODO: größer 🦀',
    `key = "${githubToken(5)}"\r`,
    `password: "${randomText(24, 6)}"`,
    '',
    '\r',
    'one\rtwo',
    '#!/bin/sh',
    `${BEGIN} PRIVATE KEY-----`,
    randomText(64, 7),
    'SPDX-License-Identifier: MIT',
    '\uFFFD',
    'x'.repeat(300),
  );
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 2, max: 900 }), { maxLength: 8 }),
      fc.boolean(),
      (lines, cuts, ends) => {
        const bytes = Buffer.from(lines.join('\n') + (ends ? '\n' : ''));
        expect(analyseCut('a.yaml', bytes, cuts)).toEqual(analyseText('a.yaml', bytes));
      },
    ),
    { numRuns: 400 },
  );
});
