import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { configKeys, envNameOf } from '../src/config-keys.js';
import { loadConfig, maskCredentials, type ConfigSources } from '../src/config.js';
import { hostConfigShape } from '../src/host-config.js';

const Schema = z.object({
  ...hostConfigShape,
  natsUrl: z.string().min(1).meta({ description: 'Where NATS listens.' }),
  leaseMs: z.int().min(100).default(30_000).meta({ description: 'How long a lease lasts, in ms.' }),
  fillRatioMax: z.number().gt(0).max(1).default(0.95),
  republish: z.boolean().default(true),
  auditRoots: z.array(z.string().min(1)).default([]),
  limits: z.record(z.string(), z.int()).default({}),
  ttlMs: z.int().positive().nullable().default(null),
  cookieKey: z.string().min(8).optional().meta({ description: 'Signs session ids.', secret: true }),
});

function load(env: ConfigSources['env'], rest: Partial<ConfigSources> = {}) {
  return loadConfig(Schema, { name: 'front-end', env: { TASKSTREAM_NATS_URL: 'nats://n', ...env }, ...rest });
}

function config(env: ConfigSources['env'], rest: Partial<ConfigSources> = {}) {
  const loaded = load(env, rest);
  if (loaded.type !== 'config') throw new Error('expected a configuration');
  return loaded.config;
}

function text(env: ConfigSources['env'], argv: readonly string[]): string {
  const loaded = load(env, { argv });
  if (loaded.type !== 'text') throw new Error('expected a text');
  return loaded.text;
}

async function configFile(content: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'taskstream-config-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'config.json');
  await writeFile(file, content);
  return file;
}

describe('names in the environment', () => {
  it.each([
    ['leaseMs', 'TASKSTREAM_LEASE_MS'],
    ['natsUrl', 'TASKSTREAM_NATS_URL'],
    ['port', 'TASKSTREAM_PORT'],
    ['slowReaderBytesMax', 'TASKSTREAM_SLOW_READER_BYTES_MAX'],
    ['oauth2Issuer', 'TASKSTREAM_OAUTH2_ISSUER'],
  ])('%s is %s', (key, env) => {
    expect(envNameOf(key)).toBe(env);
  });

  it('has no room for keys that are not flat camelCase', () => {
    expect(() => configKeys(z.object({ lease_ms: z.int() }))).toThrow('lease_ms is not flat camelCase');
  });
});

describe('values', () => {
  it('come from defaults, are overridden by the file, and that by the environment', async () => {
    const file = await configFile(JSON.stringify({ leaseMs: 1000, republish: false, natsUrl: 'nats://file' }));
    expect(config({}).leaseMs).toBe(30_000);
    expect(config({}, { file })).toMatchObject({ leaseMs: 1000, republish: false, natsUrl: 'nats://n' });
    expect(config({ TASKSTREAM_LEASE_MS: '2000' }, { file })).toMatchObject({ leaseMs: 2000, republish: false });
    expect(config({ TASKSTREAM_CONFIG: file }).leaseMs).toBe(1000);
    expect(config({}, { argv: ['--config', file] }).leaseMs).toBe(1000);
  });

  it('are turned from text into numbers, booleans, lists and objects', () => {
    const read = config({
      TASKSTREAM_LEASE_MS: ' 2000 ',
      TASKSTREAM_FILL_RATIO_MAX: '.5',
      TASKSTREAM_REPUBLISH: '0',
      TASKSTREAM_AUDIT_ROOTS: '/a, /b c,,',
      TASKSTREAM_LIMITS: '{"a":1}',
      TASKSTREAM_TTL_MS: '5',
      TASKSTREAM_OPS_PORT: '0',
    });
    expect(read).toMatchObject({
      leaseMs: 2000,
      fillRatioMax: 0.5,
      republish: false,
      auditRoots: ['/a', '/b c'],
      limits: { a: 1 },
      ttlMs: 5,
      opsPort: 0,
    });
    expect(config({ TASKSTREAM_AUDIT_ROOTS: '["/with,comma"]' }).auditRoots).toEqual(['/with,comma']);
  });

  it('keep text that looks like a number where text is wanted', () => {
    expect(config({ TASKSTREAM_NATS_URL: '4222' }).natsUrl).toBe('4222');
  });

  it('count as absent when they are empty', () => {
    expect(config({ TASKSTREAM_LEASE_MS: '', TASKSTREAM_CONFIG: '', TASKSTREAM_COOKIE_KEY: '' }).leaseMs).toBe(30_000);
  });
});

describe('refusals', () => {
  it('name key, type and expectation, all at once, and never show a value', () => {
    const attempt = () =>
      load({
        TASKSTREAM_NATS_URL: '',
        TASKSTREAM_LEASE_MS: '5 minutes',
        TASKSTREAM_REPUBLISH: 'maybe',
        TASKSTREAM_FILL_RATIO_MAX: '7',
        TASKSTREAM_LOG_LEVEL: 'loud',
        TASKSTREAM_COOKIE_KEY: 'hunter2',
      });
    expect(attempt).toThrow('TASKSTREAM_NATS_URL (natsUrl): required, expected string, got nothing');
    expect(attempt).toThrow('TASKSTREAM_LEASE_MS: expected integer ≥ 100, got string');
    expect(attempt).toThrow('TASKSTREAM_REPUBLISH: expected boolean, got string');
    expect(attempt).toThrow('TASKSTREAM_FILL_RATIO_MAX: expected number > 0 ≤ 1, got integer');
    expect(attempt).toThrow('TASKSTREAM_LOG_LEVEL: expected trace | debug | info');
    expect(attempt).toThrow('TASKSTREAM_COOKIE_KEY: expected string, got string: Too small');
    expect(attempt).not.toThrow('hunter2');
    expect(attempt).not.toThrow('5 minutes');
  });

  it.each(['1e', '0x10', 'NaN', 'Infinity', '1_000', '--1', '1.5'])('do not take %j for an integer', (value) => {
    expect(() => load({ TASKSTREAM_LEASE_MS: value })).toThrow('TASKSTREAM_LEASE_MS: expected integer');
  });

  it('meet keys that nobody knows, in the environment and in the file', async () => {
    const file = await configFile(JSON.stringify({ leaseMS: 1 }));
    expect(() => load({ TASKSTREAM_LEASE: '1' })).toThrow('TASKSTREAM_LEASE: unknown key');
    expect(() => load({}, { file })).toThrow(`leaseMS in ${file}: unknown key`);
    expect(config({ LEASE: '1', TASKSTREAM: '1' }).leaseMs).toBe(30_000);
  });

  it('spare the keys of siblings', async () => {
    const file = await configFile(JSON.stringify({ slots: 4 }));
    expect(config({ TASKSTREAM_SLOTS: 'x' }, { file, otherKeys: ['slots'] }).leaseMs).toBe(30_000);
  });

  it('tell what is wrong with the file', async () => {
    const broken = await configFile('{');
    const list = await configFile('[]');
    const wrong = await configFile('{"leaseMs":"2000","auditRoots":["/a",""]}');
    expect(() => load({}, { file: broken })).toThrow(`${broken} is not JSON`);
    expect(() => load({}, { file: list })).toThrow('expected a JSON object, got array');
    expect(() => load({}, { file: '/nonexistent.json' })).toThrow('/nonexistent.json cannot be read');
    expect(() => load({}, { file: wrong })).toThrow(`leaseMs in ${wrong}: expected integer ≥ 100, got string`);
    expect(() => load({}, { file: wrong })).toThrow(`auditRoots in ${wrong} at 1: expected comma-separated list`);
  });

  it('meet unknown arguments', () => {
    expect(() => load({}, { argv: ['--lease', '5'] })).toThrow('Unknown argument --lease');
    expect(() => load({}, { argv: ['--config'] })).toThrow('--config: expected the path');
  });
});

describe('--help and --print-config', () => {
  it('help lists every key with kind, default and description, even when the configuration is not valid', () => {
    const help = text({ TASKSTREAM_NATS_URL: '', TASKSTREAM_LEASE_MS: 'x' }, ['--help']);
    for (const key of Object.keys(Schema.shape)) expect(help).toContain(`${envNameOf(key)}  (${key})`);
    expect(help).toContain('integer ≥ 100; default 30000\n      How long a lease lasts, in ms.');
    expect(help).toContain('TASKSTREAM_NATS_URL  (natsUrl)\n      string; required');
  });

  it('print-config masks secrets and credentials in URLs', () => {
    const printed = text(
      { TASKSTREAM_COOKIE_KEY: 'secret-key', TASKSTREAM_NATS_URL: 'nats://me:pw@host:4222,nats://other:4222' },
      ['--print-config'],
    );
    expect(JSON.parse(printed)).toMatchObject({
      leaseMs: 30_000,
      cookieKey: '***',
      natsUrl: 'nats://***@host:4222,nats://other:4222',
    });
    expect(printed).not.toContain('pw');
    expect(maskCredentials(['tls://a:b@c', 1])).toEqual(['tls://***@c', 1]);
  });
});
