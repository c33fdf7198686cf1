import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { cors } from '../src/http/cors.js';

const origin = 'http://localhost:5173';
const http = Fastify();
http.addHook('onRequest', cors);
http.post('/mcp', (_request, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'text/plain' }).end('on the raw response');
});
http.get('/openapi.json', () => ({ through: 'fastify' }));

const send = (method: 'POST' | 'GET' | 'OPTIONS', url: string, headers: Record<string, string> = {}) =>
  http.inject({ method, url, headers });

describe('CORS', () => {
  it.each([
    ['POST', '/mcp'],
    ['GET', '/openapi.json'],
  ] as const)('%s %s names the origin that asked, and the headers that its page may read', async (method, url) => {
    const { statusCode, headers } = await send(method, url, { origin });
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'mcp-session-id, retry-after, www-authenticate',
      vary: 'origin',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('a request without an origin gets no permission, and caches are told that it matters', async () => {
    const { headers } = await send('POST', '/mcp');
    expect(headers).toMatchObject({ vary: 'origin' });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('a preflight request is answered for any path and any well-formed headers', async () => {
    const wanted = 'authorization,content-type,mcp-method,mcp-param-region';
    const asking = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': wanted };
    const { statusCode, headers, body } = await send('OPTIONS', '/mcp', asking);
    expect([statusCode, body]).toEqual([204, '']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': wanted,
    });
    const odd = await send('OPTIONS', '/mcp', { ...asking, 'access-control-request-headers': 'a;b' });
    expect(odd.headers).not.toHaveProperty('access-control-allow-headers');
  });

  it('OPTIONS that is no preflight is left to the routes', async () => {
    expect((await send('OPTIONS', '/mcp', { origin })).statusCode).toBe(404);
  });
});
