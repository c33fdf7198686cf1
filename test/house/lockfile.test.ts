/** The lockfile works on any machine with any registry: versions, hashes and every platform, no addresses. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from './workspaces.js';

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
type Lock = Readonly<Record<string, LockEntry>>;

/** What is wrong with a lockfile's entries. */
function faultsOf(packages: Lock): string[] {
  return Object.entries(packages).flatMap(([path, entry]) => {
    if (!path.includes('node_modules/')) return [];
    if (entry.link === true) {
      return /^(?:libs|services)\//.test(entry.resolved ?? '') ? [] : [`${path}: links elsewhere`];
    }
    // Only a binary for another platform may come without a hash: the registry at hand may not have had it.
    const needsHash = entry.optional !== true || entry.os === undefined;
    const hash = entry.integrity ?? (needsHash ? '' : 'sha512-');
    return [
      ...(entry.resolved === undefined ? [] : [`${path}: names the address ${entry.resolved}`]),
      ...(hash.startsWith('sha512-') ? [] : [`${path}: has no sha512 integrity`]),
      ...(/^\d+\.\d+\.\d+/.test(entry.version ?? '') ? [] : [`${path}: has no version`]),
    ];
  });
}

/** The floor that the packages promise: Node 20.19. */
const FLOOR = [20, 19, 0] as const;

function comparatorAdmits(comparator: string): boolean {
  const m = /^(>=|>|<=|<|\^|~|=)?v?(\d+|[x*])(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?$/.exec(comparator);
  if (m === null) throw new Error(`not understood: ${comparator}`);
  const parts = m.slice(2).map((p) => (p === undefined || !/\d/.test(p) ? undefined : Number(p)));
  const wanted = parts.map((p) => p ?? 0);
  const at = FLOOR.findIndex((n, i) => n !== wanted[i]);
  const order = at < 0 ? 0 : FLOOR[at]! - wanted[at]!;
  const same = (length: number): boolean => parts.slice(0, length).every((p, i) => p === undefined || p === FLOOR[i]);
  switch (m[1]) {
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    case '<':
      return order < 0;
    case '^':
      return order >= 0 && same(1);
    case '~':
      return order >= 0 && same(2);
    default:
      return same(3);
  }
}

function admitsFloor(range: string): boolean {
  return range.split('||').some((set) =>
    set
      .trim()
      .replaceAll(/([<>=^~]) +/g, '$1')
      .split(/ +/)
      .every(comparatorAdmits),
  );
}

/** Packages that ask for more than the floor, and why they are here all the same. */
const ABOVE_FLOOR: Readonly<Record<string, string>> = {
  'node_modules/@nats-io/nuid': 'asks for Node 22; the tests of the event log run it on the floor',
  'node_modules/@octokit/request/node_modules/content-type': 'asks for Node 22; a part of the conformance suite only',
  'node_modules/light-my-request/node_modules/cookie': 'asks for Node 22; Fastify 5 itself supports the floor',
};

describe('package-lock.json', () => {
  const path = join(ROOT, 'package-lock.json');
  const text = readFileSync(path, 'utf8');
  const lock: { lockfileVersion: number; packages: Lock } = JSON.parse(text);
  const dir = mkdtempSync(join(tmpdir(), 'lockfile-'));
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const tidied = (source: string): { code: number | null; text: string; errors: string } => {
    const copy = join(dir, 'package-lock.json');
    writeFileSync(copy, source);
    const script = join(ROOT, 'scripts/tidy-lockfile.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, copy], { encoding: 'utf8' });
    return { code: status, text: readFileSync(copy, 'utf8'), errors: stderr };
  };

  it('holds no registry address, and a hash for every package', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(Object.keys(lock.packages).length).toBeGreaterThan(100);
    expect(faultsOf(lock.packages)).toEqual([]);
    expect(text).not.toMatch(/\.tgz/);
  });

  it('is tidy: every optional dependency of every platform is listed, else npm ci refuses it', () => {
    const { code, text: after, errors } = tidied(text);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const wanted: { packages: Lock } = JSON.parse(after);
    expect(Object.keys(wanted.packages).filter((name) => !(name in lock.packages))).toEqual([]);
    expect(after === text, 'run node scripts/tidy-lockfile.mjs').toBe(true);
  });

  it('holds no package that the floor of Node 20.19 cannot run, except those that are known', () => {
    const above = Object.entries(lock.packages)
      .filter(([, entry]) => entry.engines?.node !== undefined && !admitsFloor(entry.engines.node))
      .map(([name]) => name);
    expect(above.toSorted()).toEqual(Object.keys(ABOVE_FLOOR).toSorted());
  });

  it('is checked by checks that can fail', () => {
    const good = { version: '1.0.0', integrity: 'sha512-x' };
    expect(faultsOf({ 'node_modules/a': good, 'libs/core': {}, '': {} })).toEqual([]);
    expect(faultsOf({ 'node_modules/a': { ...good, resolved: 'https://example.org/a-1.0.0.tgz' } })).toHaveLength(1);
    expect(faultsOf({ 'node_modules/a': { version: '1.0.0' } })).toHaveLength(1);
    expect(faultsOf({ 'node_modules/a': { version: '1.0.0', optional: true } })).toHaveLength(1);
    expect(faultsOf({ 'node_modules/a': { version: '1.0.0', optional: true, os: ['darwin'] } })).toEqual([]);
    expect(faultsOf({ 'node_modules/a': { integrity: 'sha512-x' } })).toHaveLength(1);
    expect(faultsOf({ 'node_modules/a': { link: true, resolved: '../elsewhere' } })).toHaveLength(1);
    expect(faultsOf({ 'node_modules/@taskstream/core': { link: true, resolved: 'libs/core' } })).toEqual([]);
  });

  it.each([
    ['>=18', true],
    ['>= 20', true],
    ['>=20.19', true],
    ['>=20.20', false],
    ['>= 22.x', false],
    ['^20.19.0 || >=22.12.0', true],
    ['^18 || ^22', false],
    ['20.x', true],
    ['~20.18', false],
    ['<20', false],
    ['>=18 <23', true],
    ['*', true],
  ])('engines %j admit the floor: %s', (range, admitted) => {
    expect(admitsFloor(range)).toBe(admitted);
  });

  const platformLock = (name: string, resolved?: string): string =>
    `${JSON.stringify(
      {
        packages: {
          '': { name: 'root' },
          'node_modules/tool': {
            version: '1.2.3',
            ...(resolved !== undefined && { resolved }),
            dev: true,
            optionalDependencies: { [name]: '1.2.3' },
          },
        },
      },
      null,
      2,
    )}\n`;

  it('is tidied by scripts/tidy-lockfile.mjs: platforms in, addresses out', () => {
    const { code, text: after } = tidied(platformLock('@tool/linux-arm64-musl', 'https://example.org/tool-1.2.3.tgz'));
    expect(code).toBe(0);
    expect(JSON.parse(after)).toEqual({
      packages: {
        '': { name: 'root' },
        'node_modules/@tool/linux-arm64-musl': {
          version: '1.2.3',
          cpu: ['arm64'],
          dev: true,
          libc: ['musl'],
          optional: true,
          os: ['linux'],
        },
        'node_modules/tool': {
          version: '1.2.3',
          dev: true,
          optionalDependencies: { '@tool/linux-arm64-musl': '1.2.3' },
        },
      },
    });
    expect(tidied(after).text).toBe(after);
  });

  it('is not tidied by guessing: an optional package of no known platform is an error', () => {
    const { code, errors } = tidied(platformLock('fast-thing'));
    expect(code).not.toBe(0);
    expect(errors).toContain('node_modules/tool wants fast-thing@1.2.3');
  });
});
