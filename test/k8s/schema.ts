/**
 * Objects against the published types and schemas of their kinds.
 *
 * The compiler sees each object as a literal of its type: an unknown field is an excess property. The validators of
 * the same packages then look at patterns and ranges, which types cannot say. An object of a kind that is not listed
 * is a fault, not a gap.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nameOf, type KubernetesObject } from './render.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** apiVersion → module; the type of kind K is IK there, its validator the class K. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'kubernetes-models/v1',
  'apps/v1': 'kubernetes-models/apps/v1',
  'policy/v1': 'kubernetes-models/policy/v1',
  'autoscaling/v2': 'kubernetes-models/autoscaling/v2',
  'keda.sh/v1alpha1': '@kubernetes-models/keda/keda.sh/v1alpha1',
  'gateway.networking.k8s.io/v1': '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
};

/** Fields that are younger than the newest package that runs on Node 20, by apiVersion/kind. */
const YOUNGER: Readonly<Record<string, string>> = {
  // KEDA 2.12 and 2.17
  'keda.sh/v1alpha1/ScaledObject': `{ spec?: {
    fallback?: { behavior?: 'static' | 'currentReplicas' | 'currentReplicasIfHigher' | 'currentReplicasIfLower' },
    advanced?: { scalingModifiers?: {
      formula?: string, target?: string, activationTarget?: string, metricType?: 'AverageValue' | 'Value' } } } }`,
};

export interface Labelled {
  readonly label: string;
  readonly object: KubernetesObject;
}

/** Faults by label; a label without faults has an empty list. */
export async function schemaFaults(all: readonly Labelled[]): Promise<Map<string, string[]>> {
  const faults = new Map<string, string[]>(all.map(({ label }) => [label, []]));
  const say = (label: string, object: KubernetesObject, fault: string): void =>
    void faults.get(label)?.push(`${nameOf(object)}: ${fault}`);
  const known = all.filter(({ label, object }) => {
    if (MODULES[object.apiVersion] !== undefined) return true;
    say(label, object, `no schema for ${object.apiVersion} ${object.kind}`);
    return false;
  });
  for (const { index, message } of await compile(known.map(({ object }) => object))) {
    const at = known[index];
    if (at !== undefined) say(at.label, at.object, message);
  }
  for (const { label, object } of known) {
    const module = (await import(MODULES[object.apiVersion] ?? '')) as Record<string, ModelClass | undefined>;
    const Model = module[object.kind];
    if (Model === undefined) say(label, object, `no schema for ${object.apiVersion} ${object.kind}`);
    else {
      try {
        new Model(object).validate();
      } catch (error) {
        say(label, object, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return faults;
}

type ModelClass = new (data: unknown) => { validate(): void };

const run = promisify(execFile);

/** What the compiler says of each object, by its index. Throws when it says something that is of no object. */
async function compile(objects: readonly KubernetesObject[]): Promise<Array<{ index: number; message: string }>> {
  const lines: string[] = [];
  const startOf: number[] = [];
  objects.forEach((object, index) => {
    startOf.push(lines.length + 1);
    const type = `import('${MODULES[object.apiVersion]}').I${object.kind}`;
    const younger = YOUNGER[`${object.apiVersion}/${object.kind}`];
    lines.push(
      `export const object${index}: ${type}${younger === undefined ? '' : ` & ${younger.replaceAll('\n', ' ')}`} =`,
    );
    lines.push(...`${JSON.stringify(object, null, 1)};`.split('\n'));
  });
  await mkdir(path.join(ROOT, '.tsbuild'), { recursive: true });
  // Inside of the repository, where the packages are found.
  const directory = await mkdtemp(path.join(ROOT, '.tsbuild', 'k8s-'));
  try {
    const file = path.join(directory, 'objects.ts');
    await writeFile(file, lines.join('\n'));
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--pretty', 'false', '--types', 'node'];
    const modules = ['--module', 'nodenext', '--target', 'es2023'];
    const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = await run(process.execPath, [tsc, ...options, ...modules, '--ignoreConfig', file], {
      cwd: directory,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: unknown) => error as { stdout?: string });
    return (stdout ?? '')
      .split('\n')
      .filter((line) => line.includes('error TS'))
      .map((line) => {
        const [, at, message] = /^objects\.ts\((\d+),\d+\): error (TS\d+: .*)$/.exec(line) ?? [];
        if (at === undefined || message === undefined) throw new Error(`the compiler does not run: ${line}`);
        return { index: startOf.findLastIndex((start) => start <= Number(at)), message };
      });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
