/**
 * Requests that are answered at once, on connections that are kept: `tools/list`, `tasks/get`, and `tools/call` that
 * becomes a task. Bare: the official SDK's server with answers that cost nothing. In between, each layer that a front
 * end adds.
 *
 * Invariant: an answer that is not the one that was asked for is an error, not a figure.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { ToolDefinition } from '@taskstream/core';
import { openToolPublisher, StoreOptions } from '@taskstream/jetstream';
import { readStream, rpcRequest } from '../support/rpc.js';
import { REQUEST_LAYERS, type RequestKind } from './figures.js';
import type { Scale } from './scale.js';
import { layGround } from './ground.js';
import { processorMs } from './processor-time.js';
import type { Values } from './report.js';
import { inTurns, type Measurement } from './rounds.js';
import { percentile } from './statistics.js';
import { startTask } from './tasks.js';

const SERVER = fileURLToPath(new URL('./bare-mcp-server.mjs', import.meta.url));
const TOKEN = 'a-token-of-some-length';
const OWNER = 'bench';
const TOOLS = 10;
/** A queue that no worker serves: what is measured is the making of a task. */
const QUEUE = 'bench';
const ROUNDS_FACTOR = 5;

export async function measureRequests(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const tools = Array.from({ length: TOOLS }, (_e, i) => tool(`tool_${i}`));
  await (await openToolPublisher(ground.broker, StoreOptions.parse({ replicas: nodes }))).publish(tools);
  const frontEnd = await ground.frontEnd({
    TASKSTREAM_AUTH: 'static',
    TASKSTREAM_STATIC_TOKENS: `${OWNER}:${TOKEN}`,
  });
  const finished = await startTask(ground, { owner: OWNER });
  await finished.log.appendStatus({ status: 'completed', result: { content: [{ type: 'text', text: 'done' }] } });
  const followed = await startTask(ground, { owner: OWNER });
  const leave = new AbortController();
  const following = follow(frontEnd.endpoint, followed.taskId, leave.signal);
  await followed.log.appendStatus({ status: 'working', statusMessage: 'followed' });
  const answers = JSON.stringify({
    token: TOKEN,
    tools: tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
    task: {
      taskId: finished.taskId,
      status: 'working',
      createdAt: new Date().toISOString(),
      lastUpdatedAt: new Date().toISOString(),
      ttlMs: 3_600_000,
      pollIntervalMs: 1_000,
    },
  });
  const bare = new Map<string, BareServer>();
  for (const layer of ['sdk', 'fastify', 'auth']) bare.set(layer, await startBare(layer, answers));
  try {
    const params: Readonly<Record<RequestKind, Record<string, unknown>>> = {
      list: {},
      get: { taskId: finished.taskId },
      call: { name: 'tool_0', arguments: { text: 'x' } },
    };
    const measurements: Measurement[] = [];
    for (const [kind, layers] of Object.entries(REQUEST_LAYERS) as Array<[RequestKind, readonly string[]]>) {
      for (const layer of layers) {
        const { endpoint, pid } = bare.get(layer) ?? frontEnd;
        const asked = layer === 'handlers' && kind === 'get' ? { taskId: followed.taskId } : params[kind];
        measurements.push(async () => {
          const cpuBefore = await processorMs([pid]);
          const { perSecond, ms } = await drive(endpoint, kind, asked, scale);
          const cpuMs = (await processorMs([pid])) - cpuBefore;
          return {
            [`requests.${kind}.${layer}`]: perSecond,
            [`requests.${kind}.${layer}.p99`]: percentile(ms, 0.99),
            [`requests.${kind}.${layer}.cpu`]: cpuMs / ms.length,
          };
        });
      }
    }
    await inTurns(1, measurements);
    // Many short turns: a busy machine disturbs each of them, and their median least.
    return await inTurns(scale.rounds * ROUNDS_FACTOR, measurements);
  } finally {
    leave.abort();
    await following;
    for (const { child } of bare.values()) child.kill('SIGKILL');
  }
}

/** Keeps the feed of a task, so that its state is read from memory. */
async function follow(endpoint: string, taskId: string, signal: AbortSignal): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  await readStream(endpoint, taskId, undefined, { headers, signal }).catch(() => undefined);
}

function tool(name: string): ToolDefinition {
  return {
    v: 1,
    name,
    description: 'A tool of the benchmark, described in a sentence of a usual length',
    inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
    taskSupport: 'optional',
    queue: QUEUE,
    ttlMs: 3_600_000,
    pollIntervalMs: 1_000,
    attemptsMax: 3,
  };
}

interface BareServer {
  readonly child: ChildProcess;
  readonly endpoint: string;
  readonly pid: number;
}

async function startBare(layer: string, answers: string): Promise<BareServer> {
  const child = spawn(process.execPath, [SERVER], {
    env: { PATH: process.env['PATH'], LAYER: layer, ANSWERS: answers },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [message] = (await once(child, 'message')) as [{ endpoint: string }];
  return { child, endpoint: message.endpoint, pid: child.pid as number };
}

const METHOD: Readonly<Record<RequestKind, string>> = { list: 'tools/list', get: 'tasks/get', call: 'tools/call' };
const PROOF: Readonly<Record<RequestKind, string>> = {
  list: '"tool_9"',
  get: '"status":',
  call: '"resultType":"task"',
};

/** Keeps `requestsInFlight` requests going for `requestMs`. */
async function drive(
  endpoint: string,
  kind: RequestKind,
  params: Record<string, unknown>,
  scale: Scale,
): Promise<{ perSecond: number; ms: number[] }> {
  const init = rpcRequest(METHOD[kind], params);
  const headers = {
    ...Object.fromEntries(init.headers as Array<[string, string]>),
    authorization: `Bearer ${TOKEN}`,
    'content-length': String(Buffer.byteLength(init.body as string)),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: scale.requestsInFlight });
  const ms: number[] = [];
  const startedAt = performance.now();
  const line = async () => {
    while (performance.now() - startedAt < scale.requestMs) {
      const sentAt = performance.now();
      const text = await answerTo(endpoint, headers, init.body as string, agent);
      if (!text.includes(PROOF[kind])) throw new Error(`${METHOD[kind]} was answered with ${text.slice(0, 300)}`);
      ms.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: scale.requestsInFlight }, line));
  const seconds = (performance.now() - startedAt) / 1_000;
  agent.destroy();
  return { perSecond: ms.length / seconds, ms };
}

function answerTo(endpoint: string, headers: Record<string, string>, body: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(endpoint, { method: 'POST', headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
