/**
 * Makes package-lock.json work on every machine, after an `npm install`:
 *
 *   node scripts/tidy-lockfile.mjs [package-lock.json]
 *
 * Takes the registry's addresses out, so that the lock serves with any registry. Puts in the platform packages that
 * the registry at hand did not offer: `npm ci` wants every optional dependency listed, also those that this machine
 * would never install. Such an entry has no hash until an install from a registry that has the package.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PLATFORM =
  /(?:^|-|\/)(aix|android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-([a-z]+))?$/;
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/**
 * The key under which `from` finds the package `name`, or undefined.
 *
 * @param {Record<string, object>} packages
 * @param {string} from
 * @param {string} name
 */
function keyOf(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const key = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (key in packages) return key;
    if (at === '') return undefined;
  }
}

/**
 * The optional dependencies that have no entry: where they are wanted, their names and versions.
 *
 * @param {Record<string, any>} packages
 * @returns {{ by: string, name: string, version: string }[]}
 */
export function unlisted(packages) {
  return Object.entries(packages).flatMap(([by, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => keyOf(packages, by, name) === undefined)
      .map(([name, version]) => ({ by, name, version })),
  );
}

/**
 * @param {string} text
 * @returns {string}
 */
export function tidy(text) {
  const lock = JSON.parse(text);
  const { packages } = lock;
  for (const entry of Object.values(packages)) {
    if (/^https?:/.test(entry.resolved ?? '')) delete entry.resolved;
  }
  for (const { by, name, version } of unlisted(packages)) {
    const platform = PLATFORM.exec(name);
    if (platform === null || !/^\d+\.\d+\.\d+/.test(version)) {
      throw new Error(`${by || 'the root'} wants ${name}@${version}: install it from a registry that has it`);
    }
    const libc = LIBC[platform[3] ?? ''];
    packages[`node_modules/${name}`] = {
      version,
      cpu: [platform[2]],
      ...(packages[by].dev === true && { dev: true }),
      ...(libc !== undefined && platform[1] === 'linux' && { libc: [libc] }),
      optional: true,
      os: [platform[1]],
    };
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  return `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? fileURLToPath(new URL('../package-lock.json', import.meta.url));
  const before = readFileSync(path, 'utf8');
  const after = tidy(before);
  if (after !== before) writeFileSync(path, after);
  console.log(after === before ? `${path}: was tidy` : `${path}: tidied`);
}
