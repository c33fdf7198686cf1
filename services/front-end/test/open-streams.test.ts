import { Socket } from 'node:net';
import type { StreamEndReason } from '@taskstream/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FrontEndLimits } from '../src/config.js';
import { OpenStreams, type KeptAlive, type StreamPlace } from '../src/stream/open-streams.js';

class FakeStream implements KeptAlive {
  readonly openedAt = performance.now();
  readonly ageFactor: number;
  wroteAt = performance.now();
  heartbeats = 0;
  readonly endedWith: StreamEndReason[] = [];
  destroyed = false;
  /** Called when it is ended, as a stream whose client reads would. */
  onEnd: () => void = () => undefined;

  constructor(ageFactor = 1) {
    this.ageFactor = ageFactor;
  }

  heartbeat(): void {
    this.heartbeats++;
    this.wroteAt = performance.now();
  }

  end(reason: StreamEndReason): void {
    this.endedWith.push(reason);
    this.onEnd();
  }

  destroy(): void {
    this.destroyed = true;
  }
}

function limits(overrides: Partial<FrontEndLimits> = {}): FrontEndLimits {
  return { ...FrontEndLimits.parse({}), ...overrides };
}

function placeOf(taken: ReturnType<OpenStreams['take']>): StreamPlace {
  if (typeof taken === 'string') throw new Error(`refused: ${taken}`);
  return taken;
}

let streams: OpenStreams;

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  streams.close();
  vi.useRealTimers();
});

describe('a place', () => {
  test('is one per task and connection, and free again when released', () => {
    streams = new OpenStreams(limits());
    const [one, other] = [new Socket(), new Socket()];
    const place = placeOf(streams.take('ada', 't1', one));
    expect(streams.take('ada', 't1', one)).toBe('active');
    placeOf(streams.take('ada', 't2', one));
    placeOf(streams.take('ada', 't1', other));
    expect(streams.count).toBe(3);
    place.release();
    placeOf(streams.take('ada', 't1', one));
    expect(streams.count).toBe(3);
  });

  test('is released once, however often it is said', () => {
    streams = new OpenStreams(limits({ streamsPerOwnerMax: 1 }));
    const place = placeOf(streams.take('ada', 't1', new Socket()));
    place.release();
    place.release();
    expect(streams.count).toBe(0);
    placeOf(streams.take('ada', 't1', new Socket()));
    expect(streams.take('ada', 't2', new Socket())).toBe('owner_limit');
  });

  test('is limited by owner and by node; a refusal takes nothing', () => {
    streams = new OpenStreams(limits({ streamsPerOwnerMax: 2, streamsMax: 3 }));
    const connection = new Socket();
    const first = placeOf(streams.take('ada', 't1', connection));
    placeOf(streams.take('ada', 't2', connection));
    expect(streams.take('ada', 't3', connection)).toBe('owner_limit');
    placeOf(streams.take('bob', 't3', connection));
    expect(streams.take('bob', 't4', connection)).toBe('node_limit');
    expect(streams.count).toBe(3);
    first.release();
    placeOf(streams.take('bob', 't4', connection));
    expect(streams.take('eve', 't5', connection)).toBe('node_limit');
  });
});

describe('one timer', () => {
  test('gives a sign of life on streams that were silent for so long, and only on those', () => {
    streams = new OpenStreams(limits({ heartbeatMs: 5_000 }));
    const [silent, busy] = [new FakeStream(), new FakeStream()];
    for (const [i, stream] of [silent, busy].entries()) {
      placeOf(streams.take('ada', `t${i}`, new Socket())).attach(stream);
    }
    for (let second = 0; second < 20; second++) {
      busy.wroteAt = performance.now();
      vi.advanceTimersByTime(1_000);
    }
    expect(silent.heartbeats).toBe(4);
    expect(busy.heartbeats).toBe(0);
  });

  test('rotates streams at their age, each at its own moment; never when the age is 0', () => {
    streams = new OpenStreams(limits({ streamAgeMsMax: 60_000 }));
    const [young, old] = [new FakeStream(1.1), new FakeStream(0.9)];
    for (const [i, stream] of [young, old].entries()) {
      placeOf(streams.take('ada', `t${i}`, new Socket())).attach(stream);
    }
    vi.advanceTimersByTime(54_000);
    expect([young.endedWith, old.endedWith]).toEqual([[], []]);
    vi.advanceTimersByTime(2_000);
    expect(young.endedWith).toEqual([]);
    expect(new Set(old.endedWith)).toEqual(new Set(['rotated']));
    vi.advanceTimersByTime(12_000);
    expect(new Set(young.endedWith)).toEqual(new Set(['rotated']));

    streams.close();
    streams = new OpenStreams(limits({ streamAgeMsMax: 0 }));
    const eternal = new FakeStream();
    placeOf(streams.take('ada', 't', new Socket())).attach(eternal);
    vi.advanceTimersByTime(86_400_000);
    expect(eternal.endedWith).toEqual([]);
    expect(eternal.heartbeats).toBeGreaterThan(1_000);
  });

  test('leaves a released stream alone', () => {
    streams = new OpenStreams(limits({ heartbeatMs: 1_000 }));
    const stream = new FakeStream();
    const place = placeOf(streams.take('ada', 't', new Socket()));
    place.attach(stream);
    place.release();
    vi.advanceTimersByTime(10_000);
    expect(stream.heartbeats).toBe(0);
  });
});

describe('a drain', () => {
  function open(count: number): FakeStream[] {
    return Array.from({ length: count }, (_, i) => {
      const place = placeOf(streams.take('ada', `t${i}`, new Socket()));
      const stream = new FakeStream();
      stream.onEnd = () => place.release();
      place.attach(stream);
      return stream;
    });
  }

  test('ends streams one after the other over its spread, and is over with the last', async () => {
    streams = new OpenStreams(limits({ drainSpreadMs: 150 }));
    const open3 = open(3);
    let over = false;
    const draining = streams.drain(60_000).then(() => (over = true));
    const ended = () => open3.filter((s) => s.endedWith.length > 0).length;
    await vi.advanceTimersByTimeAsync(10);
    expect(ended()).toBe(0);
    await vi.advanceTimersByTimeAsync(100);
    expect(ended()).toBe(2);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(70);
    await draining;
    expect(open3.map((s) => s.endedWith)).toEqual([['draining'], ['draining'], ['draining']]);
    expect(open3.some((s) => s.destroyed)).toBe(false);
  });

  test('is not long about few streams', async () => {
    streams = new OpenStreams(limits({ drainSpreadMs: 60_000 }));
    const open3 = open(3);
    const draining = streams.drain(60_000);
    await vi.advanceTimersByTimeAsync(210);
    expect(open3.filter((s) => s.endedWith.length > 0)).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(120);
    await draining;
    expect(open3.map((s) => s.endedWith)).toEqual([['draining'], ['draining'], ['draining']]);
  });

  test('takes no new stream, and ends one that was being opened', async () => {
    streams = new OpenStreams(limits({ drainSpreadMs: 0 }));
    const opening = placeOf(streams.take('ada', 'slow', new Socket()));
    const draining = streams.drain(60_000);
    expect(streams.take('ada', 't', new Socket())).toBe('draining');
    const late = new FakeStream();
    late.onEnd = () => opening.release();
    opening.attach(late);
    expect(late.endedWith).toEqual(['draining']);
    await vi.advanceTimersByTimeAsync(100);
    await draining;
  });

  test('waits for clients that do not read, but not for ever', async () => {
    streams = new OpenStreams(limits({ drainSpreadMs: 0 }));
    const [stuck] = open(1);
    stuck!.onEnd = () => undefined;
    let over = false;
    const draining = streams.drain(5_000).then(() => (over = true));
    await vi.advanceTimersByTimeAsync(4_900);
    expect([over, stuck!.destroyed]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(200);
    await draining;
    expect(stuck!.destroyed).toBe(true);
  });

  test('of nothing is over at once', async () => {
    streams = new OpenStreams(limits());
    await streams.drain(60_000);
    expect(streams.count).toBe(0);
  });
});

describe('the reason why a place is refused is told', () => {
  const told = (overrides: Parameters<typeof limits>[0]) => {
    const hits: string[] = [];
    streams = new OpenStreams(limits(overrides), (limit) => hits.push(limit));
    return hits;
  };

  test('a shutdown', async () => {
    const hits = told({ drainSpreadMs: 0 });
    await streams.drain(0);
    expect(streams.take('ann', 'task', new Socket())).toBe('draining');
    expect(hits).toEqual(['draining']);
  });

  test.each(['streamsPerOwnerMax', 'streamsMax'])('%s', (limit) => {
    const hits = told({ [limit]: 1 });
    placeOf(streams.take('ann', 'task', new Socket()));
    expect(hits).toEqual([]);
    streams.take('ann', 'other', new Socket());
    expect(hits).toEqual([limit]);
  });
});
