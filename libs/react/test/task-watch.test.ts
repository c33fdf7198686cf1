/** The watch below the hooks, over a scripted follow: what opens and closes streams, and when a state changes. */
import type { Follow, FollowItem, FollowOptions, TaskHandle, TaskOutcome } from '@taskstream/client';
import { describe, expect, it, vi } from 'vitest';
import { eventListFold } from '../src/use-task-events.js';
import { TaskWatch, type WatchOptions } from '../src/task-watch.js';

const event = (seq: number, payload = {}, type = 'com.example.x'): FollowItem => ({
  type: 'event',
  event: { seq, taskId: 't', type, payload },
});
const OUTCOME: TaskOutcome = { status: 'completed', result: { content: [] } };
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A follow whose items a test pushes, one handle for all of them. */
class Script {
  readonly opened: FollowOptions[] = [];
  readonly taken: number[] = [];
  #items: (FollowItem | Error | 'end')[] = [];
  #wake: () => void = () => undefined;

  push(...items: (FollowItem | Error | 'end')[]): void {
    this.#items.push(...items);
    this.#wake();
  }

  get last(): FollowOptions {
    return this.opened.at(-1)!;
  }

  readonly handle = { taskId: 't', events: (options: FollowOptions) => this.#follow(options) } as unknown as TaskHandle;

  #follow(options: FollowOptions): Follow {
    this.opened.push(options);
    const next = async (): Promise<IteratorResult<FollowItem, undefined>> => {
      for (;;) {
        if (options.signal?.aborted === true) throw new Error('aborted');
        const item = this.#items.shift();
        if (item === 'end') return { done: true, value: undefined };
        if (item instanceof Error) throw item;
        if (item !== undefined) {
          if (item.type === 'event') this.taken.push(item.event.seq);
          return { done: false, value: item };
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          options.signal?.addEventListener('abort', () => resolve());
        });
      }
    };
    const follow = { next, return: async () => ({ done: true, value: undefined }), outcome: Promise.resolve(OUTCOME) };
    return Object.assign(follow, { [Symbol.asyncIterator]: () => follow }) as unknown as Follow;
  }
}

function watching(options: WatchOptions = {}, eventsMax = 100) {
  const script = new Script();
  const watch = new TaskWatch(script.handle, eventListFold(eventsMax), options);
  const seqs = () => watch.state().value.events.map(({ seq }) => seq);
  return { script, watch, seqs };
}

describe('a watch', () => {
  it('opens one stream when it is mounted twice in a row, as strict mode does', async () => {
    const { script, watch } = watching();
    watch.subscribe(() => undefined)();
    watch.subscribe(() => undefined);
    await turn();
    expect(script.opened).toHaveLength(1);
    expect(script.last.signal?.aborted).toBe(false);
  });

  it('changes its state once for many events', async () => {
    const { script, watch, seqs } = watching();
    const changed = vi.fn<() => void>();
    watch.subscribe(changed);
    await turn();
    script.push(...Array.from({ length: 50 }, (_, seq) => event(seq)));
    await vi.waitFor(() => expect(seqs()).toHaveLength(50));
    expect(changed).toHaveBeenCalledTimes(1);
    script.push('end');
    await vi.waitFor(() => expect(watch.state()).toMatchObject({ connection: 'ended', outcome: OUTCOME }));
    expect(watch.state().status).toBe('completed');
  });

  it('reads no more than a batch before the next frame, and keeps no more than it is told to', async () => {
    const { script, watch, seqs } = watching({ batchEventsMax: 10 }, 15);
    const seen: number[] = [];
    watch.subscribe(() => seen.push(script.taken.length));
    await turn();
    script.push(...Array.from({ length: 40 }, (_, seq) => event(seq)));
    await vi.waitFor(() => expect(script.taken).toHaveLength(40));
    await vi.waitFor(() => expect(seqs().at(-1)).toBe(39));
    expect(seen).toEqual([10, 20, 30, 40]);
    expect(seqs()).toEqual(Array.from({ length: 15 }, (_, i) => 25 + i));
    expect(watch.state().value.dropped).toBe(25);
  });

  it('aborts when nothing is mounted, loses nothing, and goes on after the last event', async () => {
    const { script, watch, seqs } = watching({ after: 6 });
    const leave = watch.subscribe(() => undefined);
    await turn();
    expect(script.last.after).toBe(6);
    script.push(event(7), event(8));
    await vi.waitFor(() => expect(script.taken).toEqual([7, 8]));
    leave();
    await turn();
    expect(script.last.signal?.aborted).toBe(true);
    expect(seqs()).toEqual([7, 8]);
    watch.subscribe(() => undefined);
    await turn();
    expect(script.opened).toHaveLength(2);
    expect(script.last.after).toBe(8);
    script.push(event(9), 'end');
    await vi.waitFor(() => expect(watch.state().connection).toBe('ended'));
    expect(seqs()).toEqual([7, 8, 9]);
  });

  it('follows a task that has ended no more', async () => {
    const { script, watch } = watching();
    const leave = watch.subscribe(() => undefined);
    await turn();
    script.push('end');
    await vi.waitFor(() => expect(watch.state().connection).toBe('ended'));
    leave();
    watch.subscribe(() => undefined);
    watch.retry();
    await turn();
    expect(script.opened).toHaveLength(1);
  });

  it('tells the connection, the status and gaps; a history that begins anew is folded anew', async () => {
    const { script, watch, seqs } = watching();
    watch.subscribe(() => undefined);
    await turn();
    expect(watch.state().connection).toBe('connecting');
    script.last.onNotice?.({ type: 'connected', taskId: 't', endpoint: 'http://a', after: undefined });
    expect(watch.state().connection).toBe('live');
    const lost = { cause: 'network', fruitless: 1, waitMs: 5, after: 1, message: 'reset' } as const;
    script.last.onNotice?.({ type: 'reconnecting', taskId: 't', ...lost });
    expect(watch.state().connection).toBe('reconnecting');
    script.push(event(0, { status: 'working' }, 'dev.taskstream.task.status'), event(1));
    script.push({ type: 'gap', from: 2, to: 4, restarted: false }, event(5));
    await vi.waitFor(() => expect(seqs()).toEqual([0, 1, 5]));
    expect(watch.state()).toMatchObject({ status: 'working', gap: { from: 2, to: 4, restarted: false } });
    script.push({ type: 'gap', from: 6, to: 3, restarted: true }, event(4), event(5));
    await vi.waitFor(() => expect(seqs()).toEqual([4, 5]));
  });

  it('keeps an error, and follows again when it is asked to', async () => {
    const { script, watch, seqs } = watching();
    watch.subscribe(() => undefined);
    await turn();
    script.push(event(0), new Error('no way'));
    await vi.waitFor(() => expect(watch.state().error?.message).toBe('no way'));
    expect(watch.state().connection).toBe('ended');
    expect(seqs()).toEqual([0]);
    watch.retry();
    expect(watch.state()).toMatchObject({ connection: 'connecting', error: undefined });
    expect(script.last.after).toBe(0);
    script.push(event(1), 'end');
    await vi.waitFor(() => expect(watch.state().outcome).toEqual(OUTCOME));
    expect(seqs()).toEqual([0, 1]);
  });

  it('does not hear a stream that was left', async () => {
    const { script, watch } = watching();
    const leave = watch.subscribe(() => undefined);
    await turn();
    const [first] = script.opened;
    leave();
    await turn();
    watch.subscribe(() => undefined);
    await turn();
    first?.onNotice?.({ type: 'connected', taskId: 't', endpoint: 'http://a', after: undefined });
    expect(watch.state().connection).toBe('connecting');
  });
});
