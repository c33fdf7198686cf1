/** The application's abort ends every wait, also for what does not hear of it. */
import { describe, expect, it } from 'vitest';
import { attach, type OfficialClient } from '../src/attach.js';
import { followTask } from '../src/follow-task.js';
import type { Notice } from '../src/notices.js';
import { createTaskClient } from '../src/task-client.js';
import { TASK } from './support/fake-server.js';
import { FAST, latch, serve } from './support/with-server.js';

const ENOUGH = new Error('enough');
const aborted = { code: 'aborted', cause: ENOUGH };

/** An auth hook that waits for somebody who never comes. */
function endlessAuth(): { readonly asked: Promise<void>; readonly auth: () => Promise<never> } {
  const { opened, open } = latch();
  return {
    asked: opened,
    auth: () => {
      open();
      return new Promise(() => undefined);
    },
  };
}

/** As written by somebody who forgot the signal. */
const deafFetch: typeof fetch = (input, init = {}) => {
  const { signal: _signal, ...rest } = init;
  return globalThis.fetch(input, rest);
};

describe('an abort', () => {
  it('ends a follow and a request whose auth hook is waited for', async () => {
    const server = await serve({});
    for (const start of [
      (options: { auth: () => Promise<never>; signal: AbortSignal }) =>
        followTask(TASK, { endpoints: [server.url], ...options }).next(),
      ({ auth, signal }: { auth: () => Promise<never>; signal: AbortSignal }) =>
        createTaskClient({ endpoints: [server.url], auth }).getTask(TASK, { signal }),
    ]) {
      const abort = new AbortController();
      const { asked, auth } = endlessAuth();
      const waiting = start({ auth, signal: abort.signal });
      await asked;
      abort.abort(ENOUGH);
      await expect(waiting).rejects.toMatchObject(aborted);
    }
    expect(server.requests).toEqual([]);
  });

  it('ends a follow and a request whose fetch does not hear of it', async () => {
    const reached = { 'tasks/stream': latch(), 'tasks/get': latch() };
    const server = await serve({
      'tasks/stream': (_request, reply) => {
        reply.sse();
        reached['tasks/stream'].open();
      },
      'tasks/get': () => reached['tasks/get'].open(),
    });
    const options = { endpoints: [server.url], fetch: deafFetch };
    const following = new AbortController();
    const next = followTask(TASK, { ...options, signal: following.signal }).next();
    await reached['tasks/stream'].opened;
    following.abort(ENOUGH);
    await expect(next).rejects.toMatchObject(aborted);
    const asking = new AbortController();
    const got = createTaskClient(options).getTask(TASK, { signal: asking.signal });
    await reached['tasks/get'].opened;
    asking.abort(ENOUGH);
    await expect(got).rejects.toMatchObject(aborted);
  });

  it('ends a call whose question the application leaves open', async () => {
    const asked = latch();
    const server = await serve({
      'tools/call': (_request, reply) =>
        reply.json({
          resultType: 'input_required',
          inputRequests: { a: { method: 'elicitation/create', params: { message: 'Sure?' } } },
        }),
    });
    const abort = new AbortController();
    const call = createTaskClient({
      endpoints: [server.url],
      onInputRequest: () => {
        asked.open();
        return new Promise(() => undefined);
      },
    }).callTool('x', {}, { signal: abort.signal });
    await asked.opened;
    abort.abort(ENOUGH);
    await expect(call).rejects.toMatchObject(aborted);
  });

  it('of a follow through an official client is no lost stream', async () => {
    const sent = latch();
    const official: OfficialClient = {
      transport: {
        send: () => {
          sent.open();
          return new Promise(() => undefined);
        },
      },
      getServerCapabilities: () => ({}),
      getNegotiatedProtocolVersion: () => '2026-07-28',
    };
    const notices: Notice[] = [];
    const client = attach(official, { limits: FAST, onNotice: (notice) => notices.push(notice) });
    const abort = new AbortController();
    const next = client.followTask(TASK, { signal: abort.signal }).next();
    await sent.opened;
    abort.abort(ENOUGH);
    await expect(next).rejects.toMatchObject(aborted);
    expect(notices).toEqual([]);
  });
});
