/**
 * The official SDK's server with answers that cost nothing, and what a front end puts in front of it, layer by layer:
 * `LAYER` is `sdk` (createMcpHandler on node:http), `fastify` (the same behind Fastify, with the checks of Host and
 * Origin), or `auth` (and with a bearer token that is checked).
 */
import { createServer } from 'node:http';
import { hostHeaderValidation, originValidation } from '@modelcontextprotocol/fastify';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, localhostAllowedHostnames, localhostAllowedOrigins } from '@modelcontextprotocol/server';
import Fastify from 'fastify';
import * as z from 'zod';
import { bearerAuthenticator } from '../../services/front-end/dist/auth/bearer.js';
import { staticVerifier } from '../../services/front-end/dist/auth/static-verifier.js';
import { parseJsonBody } from '../../services/front-end/dist/http/json-body.js';
import { TaskServer } from '../../services/front-end/dist/mcp/task-server.js';
import { isChallenge } from '../../services/front-end/dist/principal.js';

const layer = process.env.LAYER;
const { tools, task, token } = JSON.parse(process.env.ANSWERS);
const DEPTH_MAX = 256;

const sdk = createMcpHandler(
  () => {
    const server = new TaskServer(
      { name: 'bare', version: '1' },
      { capabilities: { tools: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } } },
    );
    server.setRequestHandler('tools/list', () => ({ tools }));
    server.setRequestHandler('tools/call', () => ({ resultType: 'task', ...task }));
    server.setRequestHandler('tasks/get', { params: z.looseObject({ taskId: z.string() }) }, ({ taskId }) => ({
      ...task,
      taskId,
    }));
    return server;
  },
  { legacy: 'reject' },
);
const serve = toNodeHandler({ fetch: sdk.fetch });
const ready = (address) => process.send({ endpoint: `http://127.0.0.1:${address.port}/mcp` });

if (layer === 'sdk') {
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1', () => ready(server.address()));
} else {
  const authenticator = bearerAuthenticator(staticVerifier([`bench:${token}`]), undefined);
  const http = Fastify();
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  http.addHook('onRequest', hostHeaderValidation(localhostAllowedHostnames()));
  http.addHook('onRequest', originValidation(localhostAllowedOrigins()));
  http.post('/mcp', async (request, reply) => {
    reply.hijack();
    if (layer === 'auth' && isChallenge(await authenticator.authenticate(request.raw))) {
      reply.raw.writeHead(401).end();
      return;
    }
    await serve(request.raw, reply.raw, parseJsonBody(request.body, DEPTH_MAX));
  });
  await http.listen({ port: 0, host: '127.0.0.1' });
  ready(http.server.address());
}
