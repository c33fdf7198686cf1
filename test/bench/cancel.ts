/**
 * Cancels: from a client's request, over a front end and the task's mailbox, to the abort of `task.signal` in a worker
 * process. One at a time; the mailbox's periodic check is off, so that only the live path can bring it. Bare, in turn:
 * one message that is stored, republished and received, the last of the hops that a cancel takes.
 */
import type { EventStream } from '@taskstream/core';
import { fileURLToPath } from 'node:url';
import { callTask, rpc } from '../support/rpc.js';
import { startWorker, stopAll } from '../support/system.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { percentile } from './statistics.js';

const TOOLS = fileURLToPath(new URL('./cancel-tools.mjs', import.meta.url));
/** Longer than any run. */
const NEVER_MS = '3600000';
/** Cancels before those that count. */
const WARM_UP = 3;

export async function measureCancels(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const worker = await startWorker(ground.urls, {
    TASKSTREAM_TOOLS: TOOLS,
    TASKSTREAM_REPLICAS: String(nodes),
    TASKSTREAM_LOG_LEVEL: 'warn',
    TASKSTREAM_LEASE_MS: '15000',
    TASKSTREAM_MAILBOX_CHECK_MS: NEVER_MS,
  });
  try {
    const { endpoint } = await ground.frontEnd();
    await using hop = await bareHop(ground);
    const bareMs: number[] = [];
    const abortMs: number[] = [];
    const endMs: number[] = [];
    for (let i = -WARM_UP; i < scale.cancels; i++) {
      const hopMs = await hop.once();
      const taskId = await callTask(endpoint, 'bench_wait', {});
      const events = new TaskEvents(await ground.store.events.open(taskId, undefined));
      await events.next('com.example.bench.ready');
      const askedAtMs = nowMs();
      const answered = rpc(endpoint, 'tasks/cancel', { taskId });
      const { atMs } = await events.next('com.example.bench.aborted');
      await events.end();
      const endedAtMs = nowMs();
      await answered;
      if (i < 0) continue;
      bareMs.push(hopMs);
      abortMs.push(Number(atMs) - askedAtMs);
      endMs.push(endedAtMs - askedAtMs);
    }
    return {
      'cancel.bare.p50': percentile(bareMs, 0.5),
      'cancel.bare.p99': percentile(bareMs, 0.99),
      'cancel.abort.p50': percentile(abortMs, 0.5),
      'cancel.abort.p99': percentile(abortMs, 0.99),
      'cancel.end.p50': percentile(endMs, 0.5),
      'cancel.end.p99': percentile(endMs, 0.99),
    };
  } finally {
    await stopAll([worker], 'SIGKILL');
  }
}

/** A message into a TASKS stream, until a subscriber has what the stream republishes. */
async function bareHop(ground: Ground): Promise<AsyncDisposable & { once(): Promise<number> }> {
  const subject = 'cmd.d.0.bare';
  const reader = await ground.connect();
  let received: () => void = () => undefined;
  reader.nc.subscribe(`live.${subject}`, { callback: () => received() });
  await reader.nc.flush();
  return {
    async once() {
      const arrival = new Promise<void>((resolve) => (received = resolve));
      const sentAtMs = nowMs();
      const stored = ground.bare.js.publish(subject, Buffer.from('{}'));
      await arrival;
      const ms = nowMs() - sentAtMs;
      await stored;
      return ms;
    },
    [Symbol.asyncDispose]: () => reader.close(),
  };
}

/** One clock for all processes of the machine. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

class TaskEvents {
  readonly #stream: EventStream;
  readonly #lines: string[] = [];

  constructor(stream: EventStream) {
    this.#stream = stream;
  }

  /** The payload of the next event of a type. */
  async next(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        const event = JSON.parse(line) as { type: string; payload: Record<string, unknown> };
        if (event.type === type) return event.payload;
      }
      if (!(await this.#read())) throw new Error(`the task ended before ${type}`);
    }
  }

  async end(): Promise<void> {
    while (await this.#read());
  }

  async #read(): Promise<boolean> {
    const delivery = await this.#stream.next();
    if (delivery.type !== 'packs') return false;
    for (const pack of delivery.packs)
      this.#lines.push(...Buffer.from(pack.data).toString('utf8').trimEnd().split('\n'));
    return true;
  }
}
