/**
 * The direction of dependencies, as a table and as rules over sources that were read before.
 *
 * Invariants: a package that is not in the table fails; each rule names the file, the line and what it wants.
 */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { scanDestructured, scanImports, scanPaths, type ImportRef } from './scan-imports.js';

export interface SourceFile {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Workspace {
  /** From the repository's root, for example `libs/core`. */
  readonly dir: string;
  readonly name: string;
  readonly dependencies: readonly string[];
  /** Keys of `exports`: `.`, `./app`. */
  readonly exports: readonly string[];
  /** Directories that its tsconfig refers to, from the repository's root. */
  readonly references: readonly string[];
  readonly sources: readonly SourceFile[];
}

export interface Report {
  readonly filesScanned: number;
  readonly importsSeen: number;
  readonly violations: readonly string[];
}

interface Rule {
  /** Workspaces that it may import. */
  readonly imports: readonly string[];
  /** Workspaces that it starts as processes of their own: declared and resolved, never imported. */
  readonly starts?: readonly string[];
  /** No I/O, no clock, no randomness. */
  readonly pure?: true;
  /** Runs where Node's modules do not exist; `nodeDoor` is the one file that does not, and nothing imports it. */
  readonly browserSafe?: true;
  readonly nodeDoor?: string;
  readonly broker?: true;
}

/** protocol ← core ← {jetstream, worker}; client → protocol; services import libraries, never the reverse. */
export const DIRECTION: Readonly<Record<string, Rule>> = {
  'libs/protocol': { imports: [], pure: true, browserSafe: true },
  'libs/core': { imports: ['libs/protocol'], pure: true, browserSafe: true },
  'libs/client': { imports: ['libs/protocol'], browserSafe: true, nodeDoor: 'libs/client/src/node.ts' },
  'libs/react': { imports: ['libs/client'], browserSafe: true },
  'libs/jetstream': { imports: ['libs/protocol', 'libs/core'], broker: true },
  'libs/worker': { imports: ['libs/protocol', 'libs/core'] },
  'libs/service-host': { imports: ['libs/protocol'] },
  'libs/embedded': { imports: [] },
  'services/front-end': { imports: ['libs/protocol', 'libs/core', 'libs/jetstream', 'libs/service-host'] },
  'services/worker': { imports: ['libs/protocol', 'libs/core', 'libs/jetstream', 'libs/worker', 'libs/service-host'] },
  'services/cli': {
    imports: ['libs/protocol', 'libs/client', 'libs/service-host', 'libs/embedded'],
    starts: ['services/front-end', 'services/worker'],
  },
};

const BROKER = /^(?:@nats-io\/|nats$|nats\/)/;
const CONFIG_FILE = /(?:^|\/)(?:config\.ts$|config\/)/;
const IMPURE: ReadonlyArray<readonly [string, ...string[]]> = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['performance', 'now'],
  ['crypto', 'randomUUID'],
  ['crypto', 'getRandomValues'],
];
const BUILTINS = new Set(builtinModules);

/** `@scope/name/sub` → name and the key that it must have in `exports`. */
function splitSpecifier(specifier: string): { name: string; door: string } {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  const rest = parts.slice(length).join('/');
  return { name: parts.slice(0, length).join('/'), door: rest === '' ? '.' : `./${rest}` };
}

function checkRelative(from: Workspace, rule: Rule, file: SourceFile, specifier: string): string[] {
  const target = posix.join(posix.dirname(file.path), specifier);
  if (!target.startsWith(`${from.dir}/src/`)) return [`reaches out of its package by path: ${specifier}`];
  if (!target.endsWith('.js')) return [`relative imports end in .js: ${specifier}`];
  const source = target.replace(/\.js$/, '.ts');
  if (source === rule.nodeDoor) return [`only Node's users come through this door: ${specifier}`];
  const exists = from.sources.some((s) => s.path === source);
  return exists ? [] : [`no such file: ${specifier}`];
}

function checkWorkspace(from: Workspace, rule: Rule, ref: ImportRef, all: readonly Workspace[]): string[] {
  const { name, door } = splitSpecifier(ref.specifier);
  const target = all.find((w) => w.name === name);
  if (target === undefined) return [`no such workspace: ${name}`];
  const found: string[] = [];
  if (target === from) found.push(`imports itself by name: ${ref.specifier}`);
  const started = ref.kind === 'resolve' && rule.starts?.includes(target.dir) === true;
  if (!started && !rule.imports.includes(target.dir)) found.push(`${from.dir} may not import ${target.dir}`);
  if (!from.dependencies.includes(name)) found.push(`${name} is not in the dependencies of ${from.dir}/package.json`);
  if (!started && !from.references.includes(target.dir)) {
    found.push(`${target.dir} is not in the references of ${from.dir}/tsconfig.json`);
  }
  if (!target.exports.includes(door)) found.push(`${name} has no door ${door}: ${ref.specifier}`);
  return found;
}

function checkExternal(from: Workspace, rule: Rule, file: SourceFile, ref: ImportRef): string[] {
  const { specifier } = ref;
  const found: string[] = [];
  if (BUILTINS.has(specifier)) return [`write node:${specifier}`];
  if (specifier.startsWith('node:')) {
    if (rule.browserSafe === true && file.path !== rule.nodeDoor)
      found.push(`${from.dir} runs without Node: ${specifier}`);
    if (/^node:process$/.test(specifier) && ref.names.includes('env')) found.push('import of process.env');
    return found;
  }
  if (/^(?:\/|file:|https?:|data:)/.test(specifier)) return [`not a package: ${specifier}`];
  const { name } = splitSpecifier(specifier);
  if (BROKER.test(specifier) && rule.broker !== true) found.push(`only libs/jetstream knows the broker: ${specifier}`);
  if (!from.dependencies.includes(name)) found.push(`${name} is not in the dependencies of ${from.dir}/package.json`);
  return found;
}

function checkFile(rule: Rule, file: SourceFile): string[] {
  const found: string[] = [];
  if (!CONFIG_FILE.test(file.path)) {
    const lines = [...scanPaths(file.text, ['process', 'env']), ...scanDestructured(file.text, 'process', 'env')];
    for (const line of lines) found.push(`${line}: process.env is read in config modules only`);
  }
  if (rule.pure !== true) return found;
  for (const path of IMPURE) {
    for (const line of scanPaths(file.text, path)) found.push(`${line}: ${path.join('.')} in a pure library`);
  }
  if (/\bnew Date\(\s*\)/.test(file.text)) found.push('new Date() in a pure library');
  return found;
}

function checkDeclarations(workspace: Workspace, rule: Rule, all: readonly Workspace[]): string[] {
  const allowed = [...rule.imports, ...(rule.starts ?? [])];
  const declared = all.filter((w) => workspace.dependencies.includes(w.name)).map((w) => w.dir);
  return [
    ...declared.filter((dir) => !allowed.includes(dir)).map((dir) => `package.json depends on ${dir}`),
    ...workspace.references
      .filter((dir) => !rule.imports.includes(dir))
      .map((dir) => `tsconfig.json refers to ${dir}, against the direction`),
    ...workspace.dependencies
      .filter((name) => BROKER.test(name) && rule.broker !== true)
      .map((name) => `package.json depends on ${name}: only libs/jetstream knows the broker`),
  ];
}

/** @throws Error when there was nothing to check: a gate over nothing is a defect. */
export function checkLayering(workspaces: readonly Workspace[], direction = DIRECTION): Report {
  const violations: string[] = [];
  let filesScanned = 0;
  let importsSeen = 0;
  for (const dir of Object.keys(direction)) {
    if (!workspaces.some((w) => w.dir === dir)) violations.push(`${dir}: is in the table, but not in the tree`);
  }
  for (const workspace of workspaces) {
    const rule = direction[workspace.dir];
    if (rule === undefined) {
      violations.push(`${workspace.dir}: is not in the table of directions`);
      continue;
    }
    if (workspace.sources.length === 0) violations.push(`${workspace.dir}: no source file was found`);
    for (const v of checkDeclarations(workspace, rule, workspaces)) violations.push(`${workspace.dir}: ${v}`);
    for (const file of workspace.sources) {
      filesScanned++;
      for (const v of checkFile(rule, file)) violations.push(`${file.path}: ${v}`);
      for (const ref of scanImports(file.text)) {
        importsSeen++;
        const isWorkspace = workspaces.some((w) => w.name === splitSpecifier(ref.specifier).name);
        const found = ref.specifier.startsWith('.')
          ? checkRelative(workspace, rule, file, ref.specifier)
          : isWorkspace || ref.specifier.startsWith('@taskstream/')
            ? checkWorkspace(workspace, rule, ref, workspaces)
            : checkExternal(workspace, rule, file, ref);
        if (ref.kind === 'export-star') found.push(`export * from ${ref.specifier}: name what goes out`);
        for (const v of found) violations.push(`${file.path}:${ref.line}: ${v}`);
      }
    }
  }
  if (filesScanned === 0) throw new Error('the layering check scanned no file');
  if (importsSeen === 0) throw new Error('the layering check saw no import');
  return { filesScanned, importsSeen, violations };
}
