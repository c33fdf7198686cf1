/**
 * Leaves in a built tree only what runs: package.json, bin, dist and node_modules of the workspaces that npm linked.
 *
 * For images: workspaces of other services, sources, type declarations and the compiler's notes are not wanted there.
 * Source maps stay, so that stack traces name lines of the sources.
 *
 * Usage: node scripts/strip-sources.mjs [root]
 */
import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(process.argv[2] ?? '.');
if (existsSync(path.join(root, '.git')))
  throw new Error(`${root} is a checkout: this deletes its sources; name a copy`);
const KEPT_AT_ROOT = new Set(['package.json', 'libs', 'services', 'node_modules']);
const KEPT_IN_WORKSPACE = new Set(['package.json', 'bin', 'dist', 'node_modules']);

/** @param {string} directory @param {ReadonlySet<string>} kept */
function keepOnly(directory, kept) {
  for (const name of readdirSync(directory)) {
    if (!kept.has(name)) rmSync(path.join(directory, name), { recursive: true, force: true });
  }
}

const scope = path.join(root, 'node_modules', '@taskstream');
const linked = new Set(readdirSync(scope).map((name) => realpathSync(path.join(scope, name))));

let kept = 0;
for (const group of ['libs', 'services']) {
  for (const name of readdirSync(path.join(root, group))) {
    const workspace = path.join(root, group, name);
    if (!linked.has(realpathSync(workspace))) {
      rmSync(workspace, { recursive: true, force: true });
      continue;
    }
    keepOnly(workspace, KEPT_IN_WORKSPACE);
    const dist = path.join(workspace, 'dist');
    if (!existsSync(dist)) throw new Error(`${workspace} is not built; run the build first`);
    for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
      if (/\.d\.ts(?:\.map)?$|\.tsbuildinfo$/.test(file)) rmSync(path.join(dist, file));
    }
    kept += 1;
  }
}
keepOnly(root, KEPT_AT_ROOT);
if (kept === 0) throw new Error(`${root}: no workspace is linked; run npm ci first`);
