import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { splitNul } from '../../src/tools/audit/git-listing.js';
import { listFiles, type Listing, type ListOptions } from '../../src/tools/audit/list-files.js';
import { resolveInRoots } from '../../src/tools/audit/roots.js';
import { rulesOf, WALK_DEPTH_MAX } from '../../src/tools/audit/walk.js';
import { git, GIT_SEARCH_PATH, repository, tempDirectory, write } from './support/tree.js';

let root = '';
beforeEach(() => {
  root = tempDirectory();
});

async function list(path: string, options: Partial<ListOptions> = {}, roots = [root]): Promise<Listing> {
  return listFiles(await resolveInRoots(roots, path), {
    filesMax: 1_000,
    gitSearchPath: GIT_SEARCH_PATH,
    gitTimeoutMs: 30_000,
    listBytesMax: 1_000_000,
    signal: new AbortController().signal,
    ...options,
  });
}

const names = (listing: Listing): string[] =>
  listing.files.map((f) => f.path.toString('utf8') + (f.skip === undefined ? '' : ` (${f.skip})`));

describe('a git work tree', () => {
  it('gives tracked files, and untracked ones that are not ignored, in byte order', async () => {
    const tree = repository(join(root, 'r'), {
      'b.ts': '',
      'a/z.ts': '',
      'a.ts': '',
      'B.ts': '',
      '.gitignore': 'out\n*.log\n',
    });
    write(tree, { 'new.ts': '', 'out/x.js': '', 'a/debug.log': '', 'node_modules/p/i.js': '' });
    const listing = await list('r');
    expect(listing).toMatchObject({ method: 'git', truncated: false });
    expect(listing.reason).toBeUndefined();
    expect(names(listing)).toEqual(['.gitignore', 'B.ts', 'a.ts', 'a/z.ts', 'b.ts', 'new.ts', 'node_modules/p/i.js']);
  });

  it('names what is tracked though it is gone, and a file in conflict once', async () => {
    const tree = repository(join(root, 'r'), { 'a.ts': 'base', 'gone.ts': '' });
    git(tree, 'checkout', '--quiet', '-b', 'other');
    write(tree, { 'a.ts': 'theirs' });
    git(tree, 'commit', '--quiet', '-a', '-m', 'theirs');
    git(tree, 'checkout', '--quiet', '-');
    write(tree, { 'a.ts': 'ours' });
    git(tree, 'commit', '--quiet', '-a', '-m', 'ours');
    expect(() => git(tree, 'merge', '--quiet', 'other')).toThrow('git merge');
    rmSync(join(tree, 'gone.ts'));
    expect(
      git(tree, 'ls-files')
        .split('\n')
        .filter((n) => n === 'a.ts'),
    ).toHaveLength(3);
    expect(names(await list('r'))).toEqual(['a.ts', 'gone.ts']);
  });

  it('keeps every name as it is: line breaks, quotes, emoji, blanks, bytes that are no UTF-8', async () => {
    const odd = ['a\nb.ts', 'a"b\'c.ts', '🦀.rs', ' lead.ts', 'tab\t.ts', '-rf', 'back\\slash', '$(x)`y`'];
    const tree = repository(join(root, 'r'), Object.fromEntries(odd.map((name) => [name, 'x'])));
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'x');
    const listing = await list('r');
    expect(names(listing).toSorted()).toEqual([...odd, 'f\uFFFD\uFFFD'].toSorted());
    expect(listing.files.some((f) => f.path.equals(Buffer.from([0x66, 0xff, 0xfe])))).toBe(true);
  });

  it('may be asked for one of its directories', async () => {
    repository(join(root, 'r'), { 'top.ts': '', 'sub/a.ts': '', 'sub/deep/b.ts': '' });
    const listing = await list('r/sub');
    expect(listing.method).toBe('git');
    expect(names(listing)).toEqual(['a.ts', 'deep/b.ts']);
  });

  it('says when there is more than was asked for', async () => {
    repository(join(root, 'r'), { a: '', b: '', c: '' });
    expect(await list('r', { filesMax: 2 })).toMatchObject({ truncated: true });
    expect(names(await list('r', { filesMax: 2 }))).toEqual(['a', 'b']);
    expect(await list('r', { filesMax: 3 })).toMatchObject({ truncated: false });
  });

  it('does not enter submodules and repositories inside of it; a submodule can be audited by its path', async () => {
    const library = repository(join(root, 'library'), { 'lib.c': '' });
    const tree = repository(join(root, 'r'), { 'a.c': '' });
    git(tree, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'sub');
    repository(join(tree, 'nested'), { 'n.c': '' });
    const listing = await list('r');
    // A submodule is an index entry like a file; that it is a directory shows when it is opened.
    expect(names(listing)).toEqual(['.gitmodules', 'a.c', 'nested (nested-repository)', 'sub']);
    expect(await list('r/sub')).toMatchObject({ method: 'git' });
    expect(names(await list('r/sub'))).toEqual(['lib.c']);
  });

  it('works on a linked work tree', async () => {
    const tree = repository(join(root, 'r'), { 'a.c': '' });
    git(tree, 'worktree', 'add', '--quiet', join(root, 'linked'));
    expect(await list('linked')).toMatchObject({ method: 'git' });
    expect(names(await list('linked'))).toEqual(['a.c']);
  });

  it('may belong to another user', async () => {
    const tree = repository(join(root, 'r'), { 'a.c': '' });
    // Elsewhere than as root nothing can be given away; then the owner stays the same, and it must work all the more.
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', '12345', tree]);
    expect(await list('r')).toMatchObject({ method: 'git' });
  });

  it('without any file is walked, and so is a directory that is ignored', async () => {
    repository(join(root, 'empty'), {});
    expect(await list('empty')).toEqual({
      files: [],
      truncated: false,
      method: 'walk',
      reason: 'git lists nothing here',
    });
    const tree = repository(join(root, 'r'), { '.gitignore': 'vendor\n' });
    write(tree, { 'vendor/a.js': '' });
    expect(await list('r/vendor')).toMatchObject({ method: 'walk', reason: 'git lists nothing here' });
    expect(names(await list('r/vendor'))).toEqual(['a.js']);
  });
});

describe('a hostile repository', () => {
  it('cannot have programs run', async () => {
    const tree = repository(join(root, 'r'), { 'a.c': '' });
    const trace = join(root, 'ran');
    const program = join(root, 'program');
    writeFileSync(program, `#!/bin/sh\ntouch ${trace}\n`);
    chmodSync(program, 0o755);
    git(tree, 'config', 'core.fsmonitor', program);
    // The trap is set: git with the repository's own settings falls into it.
    git(tree, 'ls-files', '--others');
    expect(existsSync(trace)).toBe(true);
    rmSync(trace);
    expect(await list('r')).toMatchObject({ method: 'git' });
    expect(existsSync(trace)).toBe(false);
  });

  it('cannot borrow the file list of a repository outside the roots', async () => {
    const elsewhere = repository(join(tempDirectory(), 'private'), { 'secret-name.txt': '' });
    write(root, { 'file/.git': `gitdir: ${elsewhere}/.git\n`, 'file/a.c': '' });
    mkdirSync(join(root, 'link'));
    symlinkSync(join(elsewhere, '.git'), join(root, 'link', '.git'));
    const tree = repository(join(root, 'index'), { 'a.c': '' });
    rmSync(join(tree, '.git', 'index'));
    symlinkSync(join(elsewhere, '.git', 'index'), join(tree, '.git', 'index'));
    const unborn = tempDirectory();
    git(unborn, 'init', '--quiet');
    write(root, { 'unborn/.git': `gitdir: ${unborn}/.git\n`, 'unborn/a.c': '' });
    repository(join(root, 'common'), { 'a.c': '' });
    write(root, { 'common/.git/commondir': `${elsewhere}/.git\n` });
    for (const path of ['file', 'link', 'index', 'unborn', 'common']) {
      const listing = await list(path);
      expect(listing, path).toMatchObject({ method: 'walk', reason: 'git directory outside the roots' });
      expect(names(listing).join(' '), path).not.toContain('secret-name');
    }
    expect(await list('file', {}, [root, elsewhere])).toMatchObject({ method: 'git' });
  });

  it('is not looked for above the root', async () => {
    const outer = repository(join(root, 'outer'), { 'in/a.c': '' });
    expect(await list('in', {}, [outer])).toMatchObject({ method: 'git' });
    expect(await list('.', {}, [join(outer, 'in')])).toMatchObject({ method: 'walk', reason: 'not a work tree' });
  });

  it('with a broken index is walked', async () => {
    const tree = repository(join(root, 'r'), { 'a.c': '' });
    writeFileSync(join(tree, '.git', 'index'), 'broken');
    expect(await list('r')).toMatchObject({ method: 'walk', reason: 'git failed' });
    expect(names(await list('r'))).toEqual(['a.c']);
  });
});

describe('without git', () => {
  it('the directory is walked, and the reason is told', async () => {
    repository(join(root, 'r'), { 'a.c': '' });
    expect(await list('r', { gitSearchPath: join(root, 'nothing') })).toMatchObject({
      method: 'walk',
      reason: 'git is not installed',
    });
    expect(await list('r', { listBytesMax: 1 })).toMatchObject({ method: 'walk', reason: 'git failed' });
    write(root, { 'plain/a.c': '' });
    expect(await list('plain')).toMatchObject({ method: 'walk', reason: 'not a work tree' });
  });

  it('gives the same list as git does', async () => {
    const tree = repository(join(root, 'r'), {
      '.gitignore': '*.log\n!keep.log\n/out/\ntmp\n',
      'a.c': '',
      'a/b.c': '',
      'a-b/c.c': '',
      'a.b/c.c': '',
      'sub/.gitignore': '!debug.log\nlocal.*\n',
      'sub/x.c': '',
    });
    write(tree, {
      'x.log': '',
      'keep.log': '',
      'out/x.c': '',
      'sub/out/x.c': '',
      'sub/debug.log': '',
      'sub/local.c': '',
      'sub/tmp/x.c': '',
      'a/tmp': '',
    });
    const byGit = await list('r');
    const byWalk = await list('r', { gitSearchPath: join(root, 'nothing') });
    expect(byGit.method).toBe('git');
    expect(byWalk.method).toBe('walk');
    expect(names(byWalk)).toEqual(names(byGit));
    expect(names(byWalk)).toContain('sub/debug.log');
  });

  it('skips .git and node_modules, and does not follow links', async () => {
    write(root, {
      'w/.git/config': '',
      'w/node_modules/p/i.js': '',
      'w/a/node_modules/q.js': '',
      'w/a/b.js': '',
      'w/sub/.git': 'gitdir: x',
    });
    symlinkSync('..', join(root, 'w', 'a', 'loop'));
    symlinkSync('/etc/passwd', join(root, 'w', 'passwd'));
    symlinkSync('self', join(root, 'w', 'self'));
    execFileSync('mkfifo', [join(root, 'w', 'pipe')]);
    expect(names(await list('w'))).toEqual([
      'a/b.js',
      'a/loop (symlink)',
      'passwd (symlink)',
      'pipe (special)',
      'self (symlink)',
    ]);
  });

  it('ends at the bounds of files and depth', async () => {
    write(root, { 'w/a/1': '', 'w/a/2': '', 'w/b/3': '' });
    mkdirSync(join(root, 'w', 'c'));
    expect(await list('w', { filesMax: 2 })).toMatchObject({ truncated: true });
    expect(names(await list('w', { filesMax: 2 }))).toEqual(['a/1', 'a/2']);
    expect(await list('w', { filesMax: 3 })).toMatchObject({ truncated: false });
    const deep = 'd/'.repeat(WALK_DEPTH_MAX + 1);
    write(root, { [`deep/${deep}x`]: '', [`deep/${deep.slice(2)}y`]: '' });
    expect(names(await list('deep')).map((n) => n.replaceAll('d/', ''))).toEqual([' (too-deep)', 'y']);
  });

  it('notes a directory that vanishes or cannot be read', async () => {
    write(root, { 'w/a': '' });
    const at = await resolveInRoots([root], 'w');
    renameSync(join(root, 'w'), join(root, 'moved'));
    const options = {
      filesMax: 10,
      gitSearchPath: '/nothing',
      gitTimeoutMs: 1_000,
      listBytesMax: 1_000,
      signal: new AbortController().signal,
    };
    expect(await listFiles(at, options)).toMatchObject({
      method: 'walk',
      files: [{ path: Buffer.from('.'), skip: 'unreadable', detail: 'ENOENT' }],
    });
  });
});

describe('an abort', () => {
  it('ends the listing with its reason, with git and without', async () => {
    repository(join(root, 'r'), { a: '' });
    const reason = new Error('cancelled');
    const signal = AbortSignal.abort(reason);
    await expect(list('r', { signal })).rejects.toBe(reason);
    await expect(list('r', { signal, gitSearchPath: '/nothing' })).rejects.toBe(reason);
  });

  it('stops a git that takes for ever', async () => {
    write(root, { 'bin/git': '#!/bin/sh\nexec sleep 60\n', 'w/a': '' });
    chmodSync(join(root, 'bin', 'git'), 0o755);
    const controller = new AbortController();
    const listing = list('w', { gitSearchPath: `${join(root, 'bin')}:/usr/bin:/bin`, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('stop')), 50);
    await expect(listing).rejects.toThrow('stop');
    // And so does the bound on its time, after which the directory is walked.
    const walked = await list('w', { gitSearchPath: `${join(root, 'bin')}:/usr/bin:/bin`, gitTimeoutMs: 50 });
    expect(walked).toMatchObject({ method: 'walk', reason: 'git failed' });
  });
});

describe('parts', () => {
  it('splits lists that end in NUL and lists that do not', () => {
    const split = (text: string) => splitNul(Buffer.from(text)).map(String);
    expect(split('')).toEqual([]);
    expect(split('a\0b\nc\0')).toEqual(['a', 'b\nc']);
    expect(split('a\0\0b')).toEqual(['a', 'b']);
  });

  it('leaves out ignore patterns that could take for ever', () => {
    const rules = rulesOf(`${'*a'.repeat(30)}b\n*.log\r\n${'x'.repeat(1_000)}\n**/deep/*.o\n`);
    expect(rules.ignores('x.log')).toBe(true);
    expect(rules.ignores('q/deep/x.o')).toBe(true);
    expect(rules.ignores(`${'a'.repeat(100)}b`)).toBe(false);
    expect(rules.ignores('x'.repeat(1_000))).toBe(false);
  });
});
