import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ToolError } from '@taskstream/worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkRoots, isInside, resolveInRoots } from '../../src/tools/audit/roots.js';
import { tempDirectory } from './support/tree.js';

let base = '';
let root = '';
beforeEach(() => {
  base = tempDirectory();
  root = join(base, 'root');
  mkdirSync(join(root, 'in', 'deep'), { recursive: true });
  mkdirSync(join(base, 'outside', 'secret'), { recursive: true });
  writeFileSync(join(root, 'file'), 'x');
});

async function refusal(path: string, roots = [root]): Promise<string> {
  const error: unknown = await resolveInRoots(roots, path).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ToolError);
  const { message } = error as ToolError;
  expect(message).toMatch(/^path: /);
  // The machine's paths stay on the machine.
  expect(message).not.toContain(base);
  return message;
}

const OUTSIDE =
  'path: expected a directory inside the roots that this worker may read, got a path outside of them (string)';
const LEADS_OUT = OUTSIDE.replace('a path outside', 'a path that leads outside');

describe('a path inside', () => {
  it('may be relative to the first root, or absolute in any root', async () => {
    const other = join(base, 'outside');
    const at = (path: string) => resolveInRoots([root, other], path);
    expect(await at('.')).toEqual({ directory: root, root, roots: [root, other], name: '.' });
    expect(await at('in/deep/..')).toMatchObject({ directory: join(root, 'in'), name: 'in' });
    expect(await at(join(root, 'in'))).toMatchObject({ directory: join(root, 'in'), root, name: 'in' });
    expect(await at(join(other, 'secret'))).toMatchObject({ root: other, name: 'secret' });
    expect(await at('in/../../outside/secret')).toMatchObject({ root: other, name: 'secret' });
  });

  it('may lead over links that stay inside', async () => {
    symlinkSync(join(root, 'in'), join(root, 'link'));
    expect(await resolveInRoots([root], 'link/deep')).toMatchObject({
      directory: join(root, 'in', 'deep'),
      name: 'in/deep',
    });
  });

  it('may be named through a root that is a link', async () => {
    const alias = join(base, 'alias');
    symlinkSync(root, alias);
    for (const path of ['in', join(alias, 'in'), join(root, 'in')]) {
      expect(await resolveInRoots([alias], path)).toMatchObject({ directory: join(root, 'in'), root, name: 'in' });
    }
  });

  it('belongs to the innermost root', async () => {
    const inner = join(root, 'in');
    expect(await resolveInRoots([root, inner], 'in/deep')).toMatchObject({ root: inner, name: 'deep' });
  });

  it('may be anything when the root is the top', async () => {
    expect(await resolveInRoots(['/'], join(root, 'in'))).toMatchObject({ directory: join(root, 'in'), root: '/' });
  });
});

describe('a path outside is refused', () => {
  it.each(['..', '../outside', 'in/../../outside', '/etc', '/', '../root-sibling'])('%s', async (path) => {
    expect(await refusal(path)).toBe(OUTSIDE);
  });

  it('also when only its beginning looks like the root', async () => {
    mkdirSync(`${root}-sibling`);
    expect(await refusal(`${root}-sibling`)).toBe(OUTSIDE);
  });

  it('through a link, in the same words whether the target exists or not', async () => {
    symlinkSync(join(base, 'outside'), join(root, 'out'));
    symlinkSync(join(base, 'nowhere'), join(root, 'dangling'));
    symlinkSync('loop', join(root, 'loop'));
    for (const path of [
      'out',
      'out/secret',
      'out/nothing',
      'out/nothing/deeper',
      'dangling',
      'dangling/x',
      'loop',
      'loop/x',
    ]) {
      expect(await refusal(path), path).toBe(LEADS_OUT);
    }
  });
});

describe('a path that cannot be audited', () => {
  it('does not exist, is a file, is below a file', async () => {
    expect(await refusal('nothing/at/all')).toMatch(/got one that does not exist \(string\)$/);
    expect(await refusal('file')).toMatch(/got a file \(string\)$/);
    expect(await refusal('file/x')).toMatch(/got one that does not exist \(string\)$/);
    expect(await refusal(join(root, 'x'.repeat(300)))).toMatch(/got one that does not exist \(string\)$/);
  });
});

describe('roots', () => {
  it('must be absolute', () => {
    expect(() => checkRoots(['/a', 'b'])).toThrow(
      new TypeError('auditRoots[1]: expected an absolute path, got a relative one'.replace('one', 'path')),
    );
    expect(() => checkRoots([''])).toThrow('auditRoots[0]: expected an absolute path');
    expect(() => checkRoots([7 as unknown as string])).toThrow('got integer');
    expect(() => checkRoots(['/a'])).not.toThrow();
  });

  it('may be missing as long as one is there', async () => {
    const gone = join(base, 'gone');
    expect(await resolveInRoots([gone, root], join(root, 'in'))).toMatchObject({ roots: [root] });
    expect(await refusal('in', [gone])).toMatch(/none of the directories .* can be opened/);
    expect(await refusal('in', [gone, root])).toMatch(/leads outside|does not exist/);
    expect(await refusal('in', [])).toMatch(/may read no directory; configure auditRoots/);
  });

  it('end at a separator', () => {
    expect(isInside('/a', '/a')).toBe(true);
    expect(isInside('/a', '/a/b')).toBe(true);
    expect(isInside('/a', '/ab')).toBe(false);
    expect(isInside('/', '/ab')).toBe(true);
  });
});
