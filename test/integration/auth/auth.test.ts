/**
 * Who may: tokens of an issuer, listed tokens, nobody else; and a task is its owner's alone on every path.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { readStream, rpc } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

const AUDIENCE = 'https://tasks.example.com/mcp';
let nats: TestNats;
let issuer: Server;
let issuerUrl: string;
let jwt: FrontEnd;
let fixed: FrontEnd;
let worker: TestProcess;
let sign: (claims: Record<string, unknown>, options?: { expiry?: string; key?: CryptoKey }) => Promise<string>;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
  issuer = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(jwks));
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  sign = (claims, { expiry = '5m', key = privateKey } = {}) =>
    new SignJWT({ iss: issuerUrl, aud: AUDIENCE, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setExpirationTime(expiry)
      .sign(key);
  nats = await startNats();
  [jwt, fixed, worker] = await Promise.all([
    startFrontEnd(nats.url, {
      TASKSTREAM_AUTH: 'jwt',
      TASKSTREAM_JWT_ISSUER: issuerUrl,
      TASKSTREAM_JWT_JWKS_URL: `${issuerUrl}/jwks`,
      TASKSTREAM_PUBLIC_URL: AUDIENCE,
    }),
    startFrontEnd(nats.url, {
      TASKSTREAM_AUTH: 'static',
      TASKSTREAM_STATIC_TOKENS: 'ann:a-token-of-some-length,bob:another-token-of-some-length',
    }),
    startWorker(nats.url),
  ]);
});

afterAll(async () => {
  await stopAll([worker, jwt, fixed]);
  await nats[Symbol.asyncDispose]();
  issuer.close();
});

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function create(endpoint: string, token: string): Promise<string> {
  const answer = await rpc(endpoint, 'tools/call', { name: 'count', arguments: { n: 3 } }, bearer(token));
  return String(answer.result?.['taskId']);
}

test('a request without a token, or with a wrong one, is challenged', async () => {
  const other = await generateKeyPair('ES256');
  const refused = [
    undefined,
    'nonsense',
    await sign({ sub: 'ann', aud: 'https://other.example.com' }),
    await sign({ sub: 'ann', iss: 'https://other.example.com' }),
    await sign({ sub: 'ann' }, { expiry: '-1m' }),
    await sign({ sub: 'ann' }, { key: other.privateKey }),
    await sign({}),
  ];
  for (const token of refused) {
    const response = await fetch(jwt.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: '{}',
    });
    expect(response.status).toBe(401);
    const challenge = response.headers.get('www-authenticate') ?? '';
    expect(challenge).toMatch(/^Bearer /);
    expect(challenge).toContain('https://tasks.example.com/.well-known/oauth-protected-resource/mcp');
    expect(await response.text()).not.toContain('at ');
  }
  const answer = await rpc(jwt.endpoint, 'server/discover', {}, bearer(await sign({ sub: 'ann' })));
  expect(answer.result).toHaveProperty('capabilities');
});

test('the protected resource metadata names the issuer', async () => {
  const url = new URL('/.well-known/oauth-protected-resource/mcp', jwt.endpoint);
  expect(await (await fetch(url)).json()).toMatchObject({ resource: AUDIENCE, authorization_servers: [issuerUrl] });
});

test('a task is unknown to everybody but its owner, on every path alike', async () => {
  for (const [endpoint, mine, theirs] of [
    [jwt.endpoint, await sign({ sub: 'ann' }), await sign({ sub: 'bob' })],
    [fixed.endpoint, 'a-token-of-some-length', 'another-token-of-some-length'],
  ] as const) {
    const taskId = await create(endpoint, mine);
    const unknown = await rpc(endpoint, 'tasks/get', { taskId: 'd0-AAAAAAAAAAAAAAAAAAAAAA' }, bearer(theirs));
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update']) {
      const answer = await rpc(endpoint, method, { taskId, inputResponses: {} }, bearer(theirs));
      expect(answer.error).toEqual(unknown.error);
    }
    const stream = await readStream(endpoint, taskId, undefined, bearer(theirs));
    expect(stream.error).toEqual(unknown.error);
    const view = await fetch(new URL(`/tasks/${taskId}/events`, endpoint), bearer(theirs));
    expect(view.status).toBe(404);
    await view.text();
    const own = await readStream(endpoint, taskId, undefined, bearer(mine));
    expect(own.result).toBeDefined();
    expect(own.params.length).toBeGreaterThanOrEqual(4);
    expect((await rpc(endpoint, 'tasks/get', { taskId }, bearer(mine))).result).toMatchObject({ taskId });
  }
});

test('a session of one owner is none of another', async () => {
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const post = (token: string, body: unknown, session?: string) =>
    fetch(fixed.endpoint, {
      method: 'POST',
      headers: {
        ...headers,
        authorization: `Bearer ${token}`,
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
      body: JSON.stringify(body),
    });
  const hello = await post('a-token-of-some-length', initialize);
  await hello.text();
  const session = hello.headers.get('mcp-session-id') ?? '';
  const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
  expect((await post('a-token-of-some-length', list, session)).status).toBe(200);
  expect((await post('another-token-of-some-length', list, session)).status).toBe(404);
});

test('without authentication no other interface than loopback is served', async () => {
  await expect(startFrontEnd(nats.url, { TASKSTREAM_HOST: '0.0.0.0' })).rejects.toThrow(/loopback/);
});
