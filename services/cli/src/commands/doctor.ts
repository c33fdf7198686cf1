/**
 * `doctor`: what `up` needs, whether it is there, and what to do if not.
 *
 * Invariants: it changes nothing that it leaves behind; exit code 1 means that something needed is missing.
 */
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { isEmbeddedError, isPortFree, resolveNatsServer, type NatsServerSource } from '@taskstream/embedded';
import { maskCredentials } from '@taskstream/service-host';
import * as z from 'zod';
import type { CliConfig } from '../config.js';
import { ExitCode, isExpected } from '../exit-codes.js';
import { DEFAULT_NATS_PORT } from '../program.js';
import { installedPrograms } from '../system/programs.js';
import type { CommandContext } from './context.js';

const NODE_MAJOR_MIN = 20;
const NODE_MINOR_MIN = 19;
const NATS_MS_MAX = 3_000;
const INFO_BYTES_MAX = 64 * 1024;

export interface Finding {
  readonly check: string;
  /** `missing`: needed, and `up` will fail. `notice`: worth knowing. */
  readonly state: 'ok' | 'notice' | 'missing';
  readonly found: string;
  readonly todo?: string;
}

export interface DoctorOptions {
  readonly port: number;
  readonly data: string;
}

export interface DoctorContext extends Pick<CommandContext, 'config' | 'out' | 'terminal'> {
  readonly workingDirectory: string;
  readonly nodeVersion: string;
  /** Absent: 4222. */
  readonly natsPort?: number;
}

export async function doctor(context: DoctorContext, options: DoctorOptions): Promise<ExitCode> {
  const findings = [
    checkNode(context.nodeVersion),
    checkPrograms(),
    ...(await checkNats(context.config, context.natsPort ?? DEFAULT_NATS_PORT)),
    await checkPort('front end port', options.port, `\`up\` takes the next free one; choose with --port`),
    await checkDataDir(path.resolve(context.workingDirectory, options.data)),
  ];
  for (const finding of findings) {
    await context.out.write(context.terminal ? findingText(finding) : `${JSON.stringify(finding)}\n`);
  }
  return findings.some((finding) => finding.state === 'missing') ? ExitCode.failed : ExitCode.ok;
}

const MARKS = { ok: '✔', notice: '!', missing: '✘' } as const;

export function findingText(finding: Finding): string {
  const todo = finding.todo === undefined ? '' : `\n    → ${finding.todo}`;
  return `${MARKS[finding.state]} ${finding.check}: ${finding.found}${todo}\n`;
}

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const enough = major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN);
  return enough
    ? { check: 'Node', state: 'ok', found: version }
    : {
        check: 'Node',
        state: 'missing',
        found: version,
        todo: `install Node ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or later from https://nodejs.org`,
      };
}

function checkPrograms(): Finding {
  const check = 'services';
  try {
    const programs = installedPrograms();
    return { check, state: 'ok', found: `${programs.frontEnd}, ${programs.worker}` };
  } catch (error) {
    if (!isExpected(error)) throw error;
    return { check, state: 'missing', found: error.message, todo: 'run `npm ci && npm run build`' };
  }
}

async function checkNats(config: CliConfig, natsPort: number): Promise<readonly Finding[]> {
  let source: NatsServerSource;
  try {
    source = await resolveNatsServer(config);
  } catch (error) {
    if (!isEmbeddedError(error)) throw error;
    return [{ check: 'nats-server', state: 'missing', found: 'not found', todo: error.message }];
  }
  if (source.kind === 'url') return Promise.all(source.url.split(',').map((url) => checkNatsUrl(url.trim())));
  return [
    { check: 'nats-server', state: 'ok', found: `${source.file} (found by ${source.foundBy})` },
    await checkPort('NATS port', natsPort, '`up` takes a free one; set NATS_URL to use a server that runs already'),
  ];
}

async function checkPort(check: string, port: number, todo: string): Promise<Finding> {
  return port === 0 || (await isPortFree(port))
    ? { check, state: 'ok', found: `${port} is free` }
    : { check, state: 'notice', found: `${port} is taken`, todo };
}

const NatsInfo = z.looseObject({ version: z.string(), jetstream: z.boolean().optional() });

/** Reads what a NATS server says first on every connection. */
export async function checkNatsUrl(url: string): Promise<Finding> {
  const shown = String(maskCredentials(url));
  const check = 'NATS_URL';
  try {
    const info = NatsInfo.parse(await readNatsInfo(url));
    if (info.jetstream === true) {
      return { check, state: 'ok', found: `${shown}: nats-server ${info.version} with JetStream` };
    }
    return {
      check,
      state: 'missing',
      found: `${shown}: nats-server ${info.version} without JetStream`,
      todo: 'start it with -js, or with a jetstream block in its configuration',
    };
  } catch (error) {
    const reason = error instanceof z.ZodError || error instanceof SyntaxError ? 'not a NATS server' : String(error);
    return {
      check,
      state: 'missing',
      found: `${shown}: ${reason}`,
      todo: 'start that server, correct NATS_URL, or unset it to let `up` start one',
    };
  }
}

function readNatsInfo(url: string): Promise<unknown> {
  const full = url.includes('://') ? url : `nats://${url}`;
  if (!URL.canParse(full)) return Promise.reject(new SyntaxError('not a URL'));
  const { hostname, port } = new URL(full);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: hostname.replaceAll(/^\[|\]$/g, ''), port: Number(port || DEFAULT_NATS_PORT) });
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const timer = setTimeout(() => finish(() => reject(new Error(`no answer within ${NATS_MS_MAX} ms`))), NATS_MS_MAX);
    socket.setEncoding('utf8');
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('close', () => finish(() => reject(new SyntaxError('closed'))));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\r\n');
      if (end < 0 && text.length < INFO_BYTES_MAX) return;
      finish(() => {
        try {
          resolve(JSON.parse(text.slice(0, end).replace(/^INFO /, '')));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  });
}

async function checkDataDir(directory: string): Promise<Finding> {
  const check = 'data directory';
  try {
    const existing = await firstExisting(directory);
    await access(existing, constants.W_OK | constants.X_OK);
    if (existing === directory) await rm(await mkdtemp(path.join(directory, '.doctor-')), { recursive: true });
    return { check, state: 'ok', found: existing === directory ? directory : `${directory} (will be made)` };
  } catch (error) {
    return {
      check,
      state: 'missing',
      found: `${directory} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      todo: 'make it writable, or choose another one with --data',
    };
  }
}

async function firstExisting(directory: string): Promise<string> {
  let at = directory;
  for (;;) {
    const found = await access(at).then(
      () => true,
      () => false,
    );
    const parent = path.dirname(at);
    if (found || parent === at) return at;
    at = parent;
  }
}
