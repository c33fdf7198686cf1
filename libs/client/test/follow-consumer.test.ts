import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { memoryCursorStore } from '../src/cursor-store.js';
import { followTask } from '../src/follow-task.js';
import { log } from './support/fake-log.js';
import { TASK } from './support/fake-server.js';
import { FAST, latch, runFollow, serve } from './support/with-server.js';

describe('the consumer', () => {
  it('saves a cursor only after it asked for the next item', async () => {
    const store = memoryCursorStore();
    const server = await serve({ 'tasks/stream': log(3) });
    const follow = followTask(TASK, { endpoints: [server.url], cursorStore: store });
    await follow.next();
    expect(store.load(TASK)).toBeUndefined();
    await follow.next();
    expect(store.load(TASK)).toBe(0);
    await follow.return();
    // Event 1 was in hand, so nobody knows whether it was processed.
    expect(store.load(TASK)).toBe(0);
    const rest = await runFollow(server, { cursorStore: store });
    expect(rest.seqs()).toEqual([1, 2, 3]);
    expect(store.load(TASK)).toBe(3);
  });

  it('saves less often when told so, and at the end', async () => {
    const saved: number[] = [];
    const cursorStore = { load: () => undefined, save: (_task: string, seq: number) => void saved.push(seq) };
    const server = await serve({ 'tasks/stream': log(4) });
    await runFollow(server, { cursorStore, limits: { ...FAST, cursorSaveEvents: 2 } });
    expect(saved).toEqual([1, 3, 4]);
  });

  it('fails with cursor_store_failed, and refuses a cursor that is none', async () => {
    const server = await serve({ 'tasks/stream': log(1) });
    const broken = { load: () => undefined, save: () => Promise.reject(new Error('full')) };
    const run = await runFollow(server, { cursorStore: broken });
    expect(run.error).toMatchObject({ code: 'cursor_store_failed', cause: new Error('full') });
    const odd = await runFollow(server, { cursorStore: { load: () => 1.5, save: () => undefined } });
    expect(odd.error).toMatchObject({ code: 'cursor_store_failed' });
    expect(server.cursors()).toHaveLength(1);
  });

  it('closes the connection when the loop is left', async () => {
    const closed = latch();
    const server = await serve({
      'tasks/stream': (_request, reply) => {
        reply.response.on('close', closed.open);
        reply.sse().event(0).event(1);
      },
    });
    const follow = followTask(TASK, { endpoints: [server.url] });
    for await (const item of follow) {
      expect(item).toMatchObject({ event: { seq: 0 } });
      break;
    }
    await closed.opened;
    await expect(follow.outcome).rejects.toMatchObject({ code: 'aborted' });
  });

  it('ends a next() that waits when it is left, and throws when the signal aborts', async () => {
    const server = await serve({ 'tasks/stream': (_request, reply) => void reply.sse() });
    const left = followTask(TASK, { endpoints: [server.url] });
    const waiting = left.next();
    await left.return();
    await expect(waiting).resolves.toEqual({ done: true, value: undefined });
    const controller = new AbortController();
    const aborted = followTask(TASK, { endpoints: [server.url], signal: controller.signal });
    const pending = aborted.next();
    controller.abort(new Error('user left'));
    await expect(pending).rejects.toMatchObject({ code: 'aborted', cause: new Error('user left') });
    await expect(aborted.outcome).rejects.toMatchObject({ code: 'aborted' });
  });

  it('ends with the error of a callback', async () => {
    const server = await serve({ 'tasks/stream': log(1) });
    const follow = followTask(TASK, {
      endpoints: [server.url],
      onNotice: () => {
        throw new Error('bug in the application');
      },
    });
    await expect(follow.next()).rejects.toMatchObject({
      code: 'callback_failed',
      cause: new Error('bug in the application'),
    });
    await expect(follow.next()).resolves.toMatchObject({ done: true });
  });

  it.each([
    [{ after: -1 }, 'after'],
    [{ after: 1.5 }, 'after'],
    [{ onEventsGone: 'ignore' }, 'onEventsGone'],
    [{ endpoints: [] }, 'endpoints'],
    [{ endpoints: ['ftp://x'] }, 'endpoints.0'],
    [{ limits: { attemptsMax: 0 } }, 'limits.attemptsMax'],
    [{ limits: { attempts: 1 } }, 'limits.attempts'],
  ])('refuses %j by name', (options, name) => {
    const given = { endpoints: ['http://127.0.0.1:1/mcp'], ...options } as Parameters<typeof followTask>[1];
    expect(() => followTask(TASK, given)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => followTask(TASK, given)).toThrow(`${name}:`);
  });

  it('reads the socket only as fast as it takes events', async () => {
    const text = 'x'.repeat(16 * 1024);
    const events = 2_000;
    let written = 0;
    const server = await serve({
      'tasks/stream': async (_request, reply) => {
        reply.sse();
        for (; written < events; written += 1) {
          reply.event(written, { payload: { text } });
          if (reply.response.writableNeedDrain) await once(reply.response, 'drain');
        }
        reply.terminal(events);
      },
    });
    const follow = followTask(TASK, { endpoints: [server.url] });
    await follow.next();
    // The sender comes to rest: what it wrote stops growing long before the end.
    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(100);
    }
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(events / 2);
    let seen = 1;
    for await (const item of follow) if (item.type === 'event') seen += 1;
    expect(seen).toBe(events);
  });
});
