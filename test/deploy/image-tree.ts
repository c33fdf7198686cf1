/**
 * Carries out in a directory what the Dockerfile does in a container, as far as that goes without an engine.
 *
 * Invariants: the files of the context are chosen by `.dockerignore`; the steps are the Dockerfile's own text; programs
 * see no module that is not in their tree, because the directory lies outside of the repository.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import dockerignore from '@balena/dockerignore';
import { runProgram } from '../support/system-binary.js';
import { imageOf, parseStages, type Stage, type Target } from './dockerfile.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface StartedMain {
  readonly child: ChildProcess;
  readonly ready: Readonly<Record<string, unknown>>;
  readonly exited: Promise<number | null>;
}

export interface ImageTree extends AsyncDisposable {
  /** What is `/app` in the image. */
  readonly directory: string;
  /** Paths of all files, relative. */
  files(): Promise<string[]>;
  /** Runs ENTRYPOINT and CMD without tini, until the service says that it is ready. */
  start(env: Readonly<Record<string, string>>): Promise<StartedMain>;
  /** Runs ENTRYPOINT without tini with other arguments, to its end. */
  run(args: readonly string[]): Promise<{ stdout: string; code: number }>;
  /** Exit code of the image's HEALTHCHECK. */
  healthcheck(env: Readonly<Record<string, string>>): Promise<number>;
}

/** @param options.build false: takes `dist` of the repository for the result of the stage `build` */
export async function imageTree(target: Target, options: { readonly build: boolean }): Promise<ImageTree> {
  const stages = parseStages(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'));
  const image = imageOf(stages, target);
  const from = image.steps.find((step) => step.flags['from'] !== undefined)?.flags['from'];
  const stage = stages.find((one) => one.name === from);
  const build = stages.find((one) => one.name === stage?.from);
  if (stage === undefined || build === undefined) throw new Error(`${target} copies from no stage`);
  const directory = await mkdtemp(path.join(tmpdir(), `taskstream-image-${target}-`));
  await copyContext(build, directory, !options.build);
  for (const step of [...(options.build ? build.steps : []), ...stage.steps]) {
    if (step.keyword === 'RUN') await runProgram('/bin/sh', ['-ec', step.text], { cwd: directory, env: NPM });
  }

  const program = (image.entrypoint ?? []).slice(2);
  if (program[0] !== 'node') throw new Error(`${target} starts ${String(program[0])} and not node`);
  const environment = (env: Readonly<Record<string, string>>) => ({ PATH: process.env['PATH'], ...image.env, ...env });
  return {
    directory,
    async files() {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
    },
    async start(env) {
      const child = spawn(process.execPath, [...program.slice(1), ...(image.cmd ?? [])], {
        cwd: directory,
        env: environment(env),
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      });
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const exited = once(child, 'exit').then(([code]) => code as number | null);
      const ready = await Promise.race([
        once(child, 'message').then(([message]) => message as Record<string, unknown>),
        exited.then(() => Promise.reject(new Error(`${target} ended before it was ready:\n${text}`))),
      ]);
      return { child, ready, exited };
    },
    run: (args) => finish([...program.slice(1), ...args], directory, environment({})),
    async healthcheck(env) {
      const command = image.healthcheck;
      if (!Array.isArray(command) || command[0] !== 'node') throw new Error(`${target} has no health check by node`);
      return (await finish(command.slice(1) as string[], directory, environment(env))).code;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Nothing of the user's own settings; what the image does not depend on is left out for speed. */
const NPM = { npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' };

async function copyContext(build: Stage, directory: string, withDist: boolean): Promise<void> {
  const ignore = dockerignore.default().add(readFileSync(path.join(ROOT, '.dockerignore'), 'utf8'));
  const listed = await runProgram('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
  });
  const sent = ignore.filter(listed.split('\0').filter((file) => file !== ''));
  const sources = build.steps.flatMap((step) => (step.keyword === 'COPY' ? step.words.slice(0, -1) : []));
  for (const source of sources) {
    const files = sent.filter((file) => file === source || file.startsWith(`${source}/`));
    if (files.length === 0) throw new Error(`.dockerignore keeps back ${source}, which the Dockerfile copies`);
    for (const file of files) {
      await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
      await cp(path.join(ROOT, file), path.join(directory, file));
    }
  }
  if (!withDist) return;
  for (const group of ['libs', 'services']) {
    for (const name of await readdir(path.join(directory, group))) {
      await cp(path.join(ROOT, group, name, 'dist'), path.join(directory, group, name, 'dist'), {
        recursive: true,
      }).catch((error: unknown) => {
        // A workspace that is not compiled has none; the tree that needs it says so.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
    }
  }
}

const run = promisify(execFile);

async function finish(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  try {
    const { stdout } = await run(process.execPath, [...args], { cwd, env });
    return { stdout, code: 0 };
  } catch (error) {
    const { stdout = '', code } = error as { stdout?: string; code?: unknown };
    if (typeof code !== 'number') throw error;
    return { stdout, code };
  }
}
