import type { Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNatsUrl, checkNode, doctor, findingText, type Finding } from '../src/commands/doctor.js';
import { readCliConfig } from '../src/config.js';
import { capture, occupyPort, temporaryDirectory } from './support.js';

async function examine(env: Record<string, string>, options: { port?: number; data?: string; natsPort?: number } = {}) {
  const out = capture();
  const exitCode = await doctor(
    {
      config: readCliConfig({ PATH: '', ...env }),
      out,
      terminal: false,
      workingDirectory: await temporaryDirectory(),
      nodeVersion: process.version,
      natsPort: options.natsPort ?? 0,
    },
    { port: options.port ?? 0, data: options.data ?? 'data' },
  );
  const findings = out.lines().map((line) => JSON.parse(line) as Finding);
  return { exitCode, of: (check: string) => findings.find((finding) => finding.check === check) };
}

describe('doctor', () => {
  it('finds the packaged nats-server and a data directory that can be made', async () => {
    const { of } = await examine({});
    expect(of('nats-server')).toMatchObject({ state: 'ok', found: expect.stringContaining('npm package') });
    expect(of('data directory')).toMatchObject({ state: 'ok', found: expect.stringContaining('will be made') });
    expect(of('Node')).toEqual({ check: 'Node', state: 'ok', found: process.version });
  });

  it('notes ports that are taken without failing for them', async () => {
    const port = await occupyPort();
    const { of } = await examine({}, { port, natsPort: port });
    for (const check of ['front end port', 'NATS port']) {
      expect(of(check)).toMatchObject({
        state: 'notice',
        found: `${port} is taken`,
        todo: expect.stringContaining('free'),
      });
    }
  });

  it('ends with 1 and says what to do when something is missing', async () => {
    const { exitCode, of } = await examine({ NATS_SERVER: '/nonexistent' });
    expect(exitCode).toBe(1);
    expect(of('nats-server')).toMatchObject({ state: 'missing', todo: expect.stringContaining('unset NATS_SERVER') });
    expect((await examine({ NATS_URL: 'nats://127.0.0.1:9' })).of('NATS_URL')).toMatchObject({ state: 'missing' });
  });

  it('sees a data directory that is a file', async () => {
    const { exitCode, of } = await examine({}, { data: path.join(import.meta.filename, 'below') });
    expect(of('data directory')).toMatchObject({ state: 'missing', todo: expect.stringContaining('--data') });
    expect(exitCode).toBe(1);
  });

  it.each([
    ['v20.19.0', 'ok'],
    ['v20.18.3', 'missing'],
    ['v18.20.0', 'missing'],
    ['v24.0.0', 'ok'],
  ])('takes Node %s for %s', (version, state) => {
    expect(checkNode(version).state).toBe(state);
  });

  it('shows findings to people with what to do', () => {
    expect(findingText({ check: 'Node', state: 'ok', found: 'v24' })).toBe('✔ Node: v24\n');
    expect(findingText({ check: 'x', state: 'missing', found: 'no', todo: 'do it' })).toBe('✘ x: no\n    → do it\n');
  });
});

describe('a NATS server at an address', () => {
  const says = (text: string) => occupyPort((socket: Socket) => void socket.on('error', () => undefined).end(text));

  it('is fine with JetStream', async () => {
    const port = await says('INFO {"version":"2.14.0","jetstream":true} \r\n');
    expect(await checkNatsUrl(`nats://user:secret@127.0.0.1:${port}`)).toEqual({
      check: 'NATS_URL',
      state: 'ok',
      found: `nats://***@127.0.0.1:${port}: nats-server 2.14.0 with JetStream`,
    });
  });

  it.each([
    ['INFO {"version":"2.14.0"}\r\n', 'without JetStream'],
    ['HTTP/1.1 400 Bad Request\r\n', 'not a NATS server'],
    ['', 'not a NATS server'],
    ['INFO []\r\n', 'not a NATS server'],
  ])('is not when it says %j', async (text, found) => {
    const finding = await checkNatsUrl(`127.0.0.1:${await says(text)}`);
    expect(finding).toMatchObject({ state: 'missing', found: expect.stringContaining(found) });
  });

  it.each(['nats://127.0.0.1:9', 'nats://:::'])('is not when %s cannot be reached', async (url) => {
    expect(await checkNatsUrl(url)).toMatchObject({ state: 'missing', todo: expect.stringContaining('NATS_URL') });
  });
});
