/** Reads the workspaces from disk for the gates: names, declared dependencies, references, sources. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile, Workspace } from './layering.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function readJson(path: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
  if (typeof value !== 'object' || value === null) throw new TypeError(`${path}: expected a JSON object`);
  return value as Record<string, unknown>;
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** Every file below `dir` whose name ends so, from the repository's root, with slashes. */
export function filesBelow(dir: string, ending: RegExp): string[] {
  if (!existsSync(join(ROOT, dir))) return [];
  return readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) =>
      posix.join(dir, join(entry.parentPath, entry.name).slice(join(ROOT, dir).length).split(sep).join('/')),
    )
    .toSorted();
}

export function readSource(path: string): SourceFile {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** The directories that a tsconfig refers to; a reference to another tsconfig of the same package is followed. */
function referencesOf(dir: string, file: string): string[] {
  const references = readJson(`${dir}/${file}`)['references'];
  if (!Array.isArray(references)) throw new TypeError(`${dir}/${file}: references: expected an array`);
  return references.flatMap(({ path }: { path: string }) => {
    const target = posix.join(dir, path);
    const own = posix.dirname(target) === dir && target.endsWith('.json') ? posix.basename(target) : undefined;
    if (own === undefined) return [target];
    return own === file ? [] : referencesOf(dir, own);
  });
}

function readWorkspace(dir: string): Workspace {
  const manifest = readJson(`${dir}/package.json`);
  if (typeof manifest['name'] !== 'string') throw new TypeError(`${dir}/package.json: name: expected a string`);
  return {
    dir,
    name: manifest['name'],
    dependencies: ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((k) => keysOf(manifest[k])),
    exports: keysOf(manifest['exports']),
    references: [...new Set(referencesOf(dir, 'tsconfig.json'))],
    sources: filesBelow(`${dir}/src`, /\.[cm]?tsx?$/).map(readSource),
  };
}

/** Each directory of `libs` and `services` that holds a package. */
export function readWorkspaces(): Workspace[] {
  return ['libs', 'services'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .map((name) => `${parent}/${name}`)
      .filter((dir) => existsSync(join(ROOT, dir, 'package.json')))
      .map(readWorkspace),
  );
}
