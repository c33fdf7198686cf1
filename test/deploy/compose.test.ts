/** docker-compose.yml and what it mounts, read by the real parsers and held against the code. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveNatsServer } from '@taskstream/embedded';
import { describe, expect, it, test } from 'vitest';
import { needsProgram, runProgram } from '../support/system-binary.js';
import { composeFaults, GIVEN, parseCompose, type Files } from './compose.js';
import { parseStages } from './dockerfile.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const text = read('docker-compose.yml');
const files: Files = {
  root,
  stages: parseStages(read('Dockerfile')),
  haproxy: read('deploy/haproxy/haproxy.cfg'),
  nginx: read('deploy/nginx/nginx.conf'),
  nats: read('deploy/nats/nats.conf'),
  prometheus: read('deploy/prometheus/prometheus.yml'),
};

describe('the real parsers accept', () => {
  it('docker-compose.yml, and nothing without its secrets', async (context) => {
    const compose = needsProgram(context, 'docker-compose', 'docker-compose');
    const check = (env: Record<string, string>) => runProgram(compose, ['config', '-q'], { cwd: root, env });
    await expect(check(GIVEN)).resolves.toBe('');
    await expect(check({})).rejects.toThrow(/set it to owner:token/);
  });

  it('haproxy.cfg', async (context) => {
    const haproxy = needsProgram(context, 'haproxy', 'haproxy');
    const local = Object.fromEntries(
      Object.entries(parseCompose(text).services['load-balancer']?.environment ?? {}).map(([name, value]) => [
        name,
        value.replace(/^(?:front-end-\d)?:/, '127.0.0.1:'),
      ]),
    );
    const said = await runProgram(haproxy, ['-c', '-f', path.join(root, 'deploy/haproxy/haproxy.cfg')], { env: local });
    expect(said).toContain('Configuration file is valid');
    expect(said).not.toMatch(/WARNING/);
  });

  it('nginx.conf', async (context) => {
    const nginx = needsProgram(context, 'nginx', 'nginx-light');
    const directory = await mkdtemp(path.join(tmpdir(), 'taskstream-nginx-'));
    try {
      const file = path.join(directory, 'nginx.conf');
      // Names of containers do not resolve here; and a test writes below a directory of its own.
      await writeFile(
        file,
        files.nginx.replaceAll(/front-end-(\d):/g, '127.0.0.$1:').replaceAll('/tmp/', `${directory}/`),
      );
      expect(await runProgram(nginx, ['-t', '-c', file])).toContain('test is successful');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('nats.conf', async () => {
    const server = await resolveNatsServer({ natsServerPath: process.env['NATS_SERVER'], path: process.env['PATH'] });
    if (server.kind !== 'binary') throw new Error('a binary is needed');
    const check = ['-t', '-c', path.join(root, 'deploy/nats/nats.conf')];
    expect(await runProgram(server.file, check, { env: { SERVER_NAME: 'nats-1' } })).toContain('is valid');
  });

  it('prometheus.yml', async (context) => {
    const promtool = needsProgram(context, 'promtool', 'prometheus');
    const said = await runProgram(promtool, ['check', 'config', path.join(root, 'deploy/prometheus/prometheus.yml')]);
    expect(said).toContain('SUCCESS');
  });
});

test('docker-compose.yml agrees with the code and with the files that it mounts', () => {
  expect(composeFaults(parseCompose(text), files)).toEqual([]);
});

describe('a planted fault is found', () => {
  const IN_COMPOSE: ReadonlyArray<readonly [name: string, from: string, to: string, fault: RegExp]> = [
    ['a misspelt key', 'TASKSTREAM_REPLICAS', 'TASKSTREAM_REPLICA', /TASKSTREAM_REPLICA: unknown key/],
    ['a value of the wrong kind', "TASKSTREAM_REPLICAS: '3'", "TASKSTREAM_REPLICAS: 'three'", /expected integer/],
    [
      'a short session key',
      '${TASKSTREAM_SESSION_KEY:?set it to 32 characters or more}',
      'short',
      /sessionKey|SESSION_KEY/,
    ],
    [
      'a grace shorter than the drain',
      'stop_grace_period: 35s',
      'stop_grace_period: 30s',
      /stop_grace_period is shorter/,
    ],
    [
      'a NATS node that nobody asks',
      'nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222',
      'nats://nats-1:4222',
      /every NATS node/,
    ],
    ['a port for everybody', "'127.0.0.1:3000:3000'", "'3000:3000'", /to everybody/],
    ['a floating image', 'prom/prometheus:v3.5.0', 'prom/prometheus:latest', /not pinned/],
    ['a file that is not there', './deploy/prometheus/prometheus.yml', './deploy/prometheus.yml', /not there/],
    [
      'a writable root',
      'restart: unless-stopped\n  read_only: true\n  cap_drop',
      'restart: unless-stopped\n  cap_drop',
      /not read-only/,
    ],
    [
      'a wrong port behind the balancer',
      'FRONT_END_2: front-end-2:3000',
      'FRONT_END_2: front-end-2:8080',
      /no front end/,
    ],
    [
      'a front end without traffic',
      'FRONT_END_2: front-end-2:3000',
      'FRONT_END_2: front-end-1:3000',
      /front-end-2: gets no traffic/,
    ],
    ['a wrong ops port', "OPS_PORT_2: '9464'", "OPS_PORT_2: '3000'", /no opsPort/],
    ['a NATS node by the wrong name', 'SERVER_NAME: nats-2', 'SERVER_NAME: nats-1', /SERVER_NAME is another/],
    ['NATS killed in lame duck mode', 'stop_grace_period: 45s', 'stop_grace_period: 20s', /killed in lame duck/],
    ['two NATS nodes on one disk', "'nats-2:/data'", "'nats-1:/data'", /volume of its own/],
  ];
  it.each(IN_COMPOSE)('%s', (_, from, to, fault) => {
    const planted = text.replaceAll(from, to);
    expect(planted).not.toBe(text);
    expect(composeFaults(parseCompose(planted), files).join('\n')).toMatch(fault);
  });

  const IN_FILES: ReadonlyArray<readonly [file: keyof Files, from: string, to: string, fault: RegExp]> = [
    ['haproxy', 'timeout server 75s', 'timeout server 30s', /cuts silent streams/],
    ['haproxy', '  option http-no-delay\n', '', /http-no-delay/],
    ['nginx', 'proxy_buffering off', 'proxy_buffering on', /proxy_buffering/],
    ['nginx', 'proxy_read_timeout 75s', 'proxy_read_timeout 20s', /cuts silent streams/],
    ['nats', '"nats://nats-3:6222"', '"nats://nats-2:6222"', /nats-3: no route/],
    ['prometheus', 'front-end-2:9464', 'front-end-2:3000', /no opsPort/],
    ['prometheus', ", 'front-end-2:9464'", '', /front-end-2 is not scraped/],
  ];
  it.each(IN_FILES)('in %s: %s → %s', (file, from, to, fault) => {
    const original = files[file] as string;
    expect(original).toContain(from);
    expect(composeFaults(parseCompose(text), { ...files, [file]: original.replace(from, to) }).join('\n')).toMatch(
      fault,
    );
  });
});
