/** The Dockerfile keeps its rules, and each rule is seen failing on a planted fault. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configKeys } from '@taskstream/service-host';
import { describe, expect, it, test } from 'vitest';
import { FrontEndConfig } from '../../services/front-end/src/config.js';
import { WorkerConfig } from '../../services/worker/src/config.js';
import { dockerfileFaults, imageOf, parseStages, TARGETS, type Facts } from './dockerfile.js';

const context = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(`${context}/Dockerfile`, 'utf8');
const facts: Facts = {
  context,
  envNames: {
    'front-end': configKeys(FrontEndConfig).map((key) => key.env),
    worker: configKeys(WorkerConfig).map((key) => key.env),
    cli: [],
  },
};

test('the Dockerfile keeps every rule', () => {
  expect(dockerfileFaults(text, facts)).toEqual([]);
  expect(TARGETS.map((target) => imageOf(parseStages(text), target).cmd?.[0])).toEqual([
    'services/front-end/dist/main.js',
    'services/worker/dist/main.js',
    '--help',
  ]);
});

describe('a planted fault is found', () => {
  const PLANTED: ReadonlyArray<readonly [name: string, from: string | RegExp, to: string, fault: RegExp]> = [
    ['a floating base', /node:24\.[\d.]+-/, 'node:24-', /not pinned/],
    ['root', 'USER 65532:65532', 'USER root', /runs as root/],
    ['a user by name', 'USER 65532:65532', 'USER node', /runs as node/],
    ['no user', 'USER 65532:65532\n', '', /runs as root/],
    [
      'a shell as process 1',
      /ENTRYPOINT \["\/usr\/bin\/tini", "--", "node", "--en.*/,
      'ENTRYPOINT tini -- node',
      /process 1/,
    ],
    ['node as process 1', /"\/usr\/bin\/tini", "--", /g, '', /process 1/],
    ['CMD in shell form', 'CMD ["services/worker/dist/main.js"]', 'CMD services/worker/dist/main.js', /CMD is missing/],
    ['a main that is not there', 'services/worker/dist/main.js', 'services/worker/dist/start.js', /not built/],
    [
      'a health check with curl',
      /CMD \["node", "-e", .*\]/,
      'CMD ["curl", "-f", "http://127.0.0.1:9464/livez"]',
      /may not have/,
    ],
    ['a health check of readiness', '/livez', '/readyz', /does not ask \/livez/],
    ['no health check', /HEALTHCHECK --interval[^\n]*\n[^\n]*\n/, '', /health check is missing/],
    ['npm install', 'npm ci --ignore-scripts\n', 'npm install\n', /npm install may change/],
    [
      'development dependencies',
      '--omit=dev --omit=optional --workspace @taskstream/cli',
      '--workspace @taskstream/cli',
      /development/,
    ],
    ['the whole context', 'COPY libs libs', 'COPY . .', /whole context/],
    ['a missing file', 'COPY scripts scripts', 'COPY tools tools', /not there/],
    ['ADD', 'COPY libs libs', 'ADD libs libs', /ADD/],
    ['a misspelt key', 'TASKSTREAM_OPS_PORT=9464', 'TASKSTREAM_OP_PORT=9464', /unknown key/],
    ['a port that is not exposed', 'EXPOSE 3000\n', '', /does not expose TASKSTREAM_PORT/],
    [
      'a secret in a layer',
      'ENV TASKSTREAM_HOST',
      'ENV TASKSTREAM_SESSION_KEY=x TASKSTREAM_HOST',
      /carries the secret/,
    ],
    ['a Debian package of any version', 'tini=0.19.0-1*', 'tini', /has no version/],
    ['a download', 'npm ci --ignore-scripts\n', 'wget -q example.com/npm && npm ci\n', /past the lock/],
  ];
  it.each(PLANTED)('%s', (_, from, to, fault) => {
    const planted = text.replace(from, to);
    expect(planted).not.toBe(text);
    expect(dockerfileFaults(planted, facts).join('\n')).toMatch(fault);
  });
});
