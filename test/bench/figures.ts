/**
 * Every figure of the benchmark: what it is, in which unit, which bare figure bounds it, and what it should reach.
 *
 * Invariant: a run that leaves out a figure of a part that it ran has failed; a missed target has not.
 */

import type { Scale } from './scale.js';

export const PARTS = [
  'append',
  'live',
  'resume',
  'replay',
  'memory',
  'capacity',
  'cancel',
  'requests',
  'workers',
  'sweep',
  'move',
  'tracing',
] as const;
export type Part = (typeof PARTS)[number];

/** Bytes of the JSON text of each event's payload; envelope and framing come on top. */
export const PAYLOAD_BYTES = 200;

export type Unit =
  | 'events/s'
  | 'packs/s'
  | 'messages/s'
  | 'events/pack'
  | 'ms'
  | 'KiB/stream'
  | 'KiB/task'
  | 'ms/s'
  | 'µs/event'
  | 'µs/pack'
  | 'requests/s'
  | 'ms CPU'
  | 'tasks/s';

export type Target =
  /** Of the value itself. */
  | { readonly of: 'value'; readonly atLeast?: number; readonly atMost?: number }
  /** Of the value divided by its bare figure. */
  | { readonly of: 'ratio'; readonly atLeast?: number; readonly atMost?: number };

export interface Figure {
  readonly part: Part;
  readonly title: (scale: Scale) => string;
  readonly unit: Unit;
  /** The figure of the bare client that this one is divided by. */
  readonly bare?: string;
  readonly target?: Target;
}

const n = (value: number) => value.toLocaleString('en-US');

function append(): Record<string, Figure> {
  const part = 'append';
  const bare = 'append.bare.many';
  return {
    'append.bare.many': {
      part,
      unit: 'messages/s',
      title: (s) => `bare js.publish, ${s.inFlight} in flight, ${s.tasks} subjects`,
    },
    'append.bare.one': { part, unit: 'messages/s', title: () => 'bare js.publish, one at a time' },
    'append.bare.same': {
      part,
      unit: 'messages/s',
      title: (s) => `bare js.publish, ${s.inFlight} in flight, into a TASKS stream`,
    },
    'append.one.single': { part, unit: 'events/s', title: () => '1 task, each event awaited', bare: 'append.bare.one' },
    'append.one.packed': { part, unit: 'events/s', title: () => '1 task, packed', bare },
    'append.one.packed.packs': { part, unit: 'packs/s', title: () => '1 task, packed: packs', bare },
    'append.one.packed.mean': { part, unit: 'events/pack', title: () => '1 task, packed: mean pack' },
    'append.many.single': {
      part,
      unit: 'events/s',
      title: (s) => `${s.tasks} tasks, each event awaited`,
      bare,
      target: { of: 'ratio', atLeast: 0.5 },
    },
    'append.many.packed': {
      part,
      unit: 'events/s',
      title: (s) => `${s.tasks} tasks, packed`,
      bare,
      target: { of: 'ratio', atLeast: 5 },
    },
    'append.many.packed.packs': { part, unit: 'packs/s', title: (s) => `${s.tasks} tasks, packed: packs`, bare },
    'append.many.packed.mean': { part, unit: 'events/pack', title: (s) => `${s.tasks} tasks, packed: mean pack` },
  };
}

/** Layouts of the live part: how many streams, on how many tasks, at how many events a second over all tasks. */
export interface LiveLayout {
  readonly id: string;
  readonly streams: (scale: Scale) => number;
  readonly spread: boolean;
  readonly eventsPerSecond: number;
}

export const LIVE_LAYOUTS: ReadonlyArray<LiveLayout> = [
  { id: 'one', streams: () => 1, spread: false, eventsPerSecond: 200 },
  { id: 'some', streams: (s) => s.streamsSome, spread: false, eventsPerSecond: 50 },
  { id: 'many', streams: (s) => s.streamsMany, spread: false, eventsPerSecond: 10 },
  { id: 'some.spread', streams: (s) => s.streamsSome, spread: true, eventsPerSecond: 200 },
  { id: 'many.spread', streams: (s) => s.streamsMany, spread: true, eventsPerSecond: 200 },
];

function live(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const p of ['p50', 'p99'] as const) {
    figures[`live.bare.stored.${p}`] = {
      part: 'live',
      unit: 'ms',
      title: () => `bare ${p}: js.publish → 1 subscriber of what the stream republishes`,
    };
  }
  for (const layout of LIVE_LAYOUTS) {
    const readers = (s: Scale, noun: string, place: string) => {
      const count = layout.streams(s);
      if (count === 1) return `1 ${noun}`;
      return `${n(count)} ${noun}s, ${layout.spread ? `a ${place} each` : `one ${place}`}`;
    };
    for (const p of ['p50', 'p99'] as const) {
      const bare = `live.bare.${layout.id}.${p}`;
      figures[bare] = {
        part: 'live',
        unit: 'ms',
        title: (s) => `bare ${p}: core publish → ${readers(s, 'subscriber', 'subject')}`,
      };
      figures[`live.${layout.id}.${p}`] = {
        part: 'live',
        unit: 'ms',
        title: (s) => `${p}: append → ${readers(s, 'SSE stream', 'task')}`,
        bare,
        ...(p === 'p50' && { target: { of: 'ratio', atMost: 3 } }),
      };
    }
  }
  return figures;
}

export const CURSORS = ['start', 'middle', 'tail'] as const;

function resume(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const cursor of CURSORS) {
    for (const p of ['p50', 'p99'] as const) {
      const bare = `resume.bare.${cursor}.${p}`;
      figures[bare] = {
        part: 'resume',
        unit: 'ms',
        title: () => `bare ${p}: new ordered consumer → first message, at the ${cursor}`,
      };
      for (const feed of ['cold', 'warm'] as const) {
        figures[`resume.${feed}.${cursor}.${p}`] = {
          part: 'resume',
          unit: 'ms',
          title: () => `${p}: connect → first event, at the ${cursor}, ${feed} feed`,
          bare,
        };
      }
    }
  }
  return figures;
}

export const PACKINGS = [1, 10, 100] as const;

function replay(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const packing of PACKINGS) {
    const packs = packing === 1 ? '1 event a pack' : `${packing} events a pack`;
    figures[`replay.bare.${packing}`] = {
      part: 'replay',
      unit: 'messages/s',
      title: () => `bare ordered consumer, ${packs}`,
    };
    figures[`replay.${packing}.packs`] = {
      part: 'replay',
      unit: 'packs/s',
      title: () => `replay over HTTP, ${packs}: packs`,
      bare: `replay.bare.${packing}`,
    };
    figures[`replay.${packing}`] = {
      part: 'replay',
      unit: 'events/s',
      title: () => `replay over HTTP, ${packs}`,
      target: { of: 'value', atLeast: 100_000 },
    };
  }
  return figures;
}

function memory(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  const places = { bare: 'bare node:http', one: 'one task', spread: 'a task each' };
  for (const [layout, place] of Object.entries(places)) {
    const ours = layout !== 'bare';
    figures[`memory.${layout}.first`] = {
      part: 'memory',
      unit: 'KiB/stream',
      title: (s) => `resident memory, first ${n(s.idleStreams)} idle streams, ${place}, with what is paid once`,
      ...(ours && { bare: 'memory.bare.first' }),
    };
    figures[`memory.${layout}.rss`] = {
      part: 'memory',
      unit: 'KiB/stream',
      title: (s) => `resident memory, next ${n(s.moreIdleStreams)} idle streams, ${place}`,
      ...(ours && { bare: 'memory.bare.rss', target: { of: 'value', atMost: 12 } }),
    };
    figures[`memory.${layout}.heap`] = {
      part: 'memory',
      unit: 'KiB/stream',
      title: (s) => `heap and buffers in use, next ${n(s.moreIdleStreams)} idle streams, ${place}`,
      ...(ours && { bare: 'memory.bare.heap' }),
    };
  }
  return figures;
}

function capacity(): Record<string, Figure> {
  const part = 'capacity';
  const spread = (s: Scale) => `${n(s.streamsMany)} streams, a task each, an event a second each`;
  return {
    'capacity.idle.front': {
      part,
      unit: 'ms/s',
      title: (s) => `processor time of a front end for 1,000 silent streams, a task each (${n(s.idleStreams)} open)`,
    },
    'capacity.idle.nats': { part, unit: 'ms/s', title: () => 'the same of the nats-servers together' },
    'capacity.nats.memory': {
      part,
      unit: 'KiB/task',
      title: (s) => `resident memory of each nats-server, ${n(s.idleStreams)} new tasks`,
    },
    'capacity.spread.front': {
      part,
      unit: 'µs/event',
      title: (s) => `processor time of a front end, ${spread(s)}, silent cost included`,
    },
    'capacity.spread.nats': { part, unit: 'µs/pack', title: () => 'the same of the nats-servers together' },
    'capacity.one.front': {
      part,
      unit: 'µs/event',
      title: (s) => `processor time of a front end, ${n(s.streamsMany)} streams of one task, 10 events a second`,
    },
    'capacity.shard': {
      part,
      unit: 'packs/s',
      title: (s) => `one TASKS stream, ${s.tasks} tasks, each with one pack of one event in flight`,
    },
    'capacity.shard.synced': { part, unit: 'packs/s', title: () => 'the same with sync_interval: always' },
  };
}

function cancel(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const p of ['p50', 'p99'] as const) {
    figures[`cancel.bare.${p}`] = {
      part: 'cancel',
      unit: 'ms',
      title: () => `bare ${p}: js.publish → a subscriber of what the stream republishes, in turn with the cancels`,
    };
  }
  for (const [what, title] of [
    ['abort', 'tasks/cancel over HTTP → task.signal aborts in the worker'],
    ['end', 'tasks/cancel over HTTP → a reader has the last event'],
  ] as const) {
    for (const p of ['p50', 'p99'] as const) {
      figures[`cancel.${what}.${p}`] = {
        part: 'cancel',
        unit: 'ms',
        title: (s) => `${p} of ${n(s.cancels)}: ${title}`,
        bare: `cancel.bare.${p}`,
        ...(what === 'abort' && { target: { of: 'value', atMost: 100 } }),
      };
    }
  }
  return figures;
}

export type RequestKind = 'list' | 'get' | 'call';

/** What lies between the bare SDK and an answer of a front end, one layer on the other. */
export const REQUEST_LAYERS = {
  list: ['sdk', 'fastify', 'auth', 'handlers'],
  get: ['sdk', 'fastify', 'auth', 'handlers', 'log'],
  call: ['sdk', 'fastify', 'auth', 'log'],
} as const satisfies Readonly<Record<RequestKind, readonly string[]>>;

const REQUEST_TITLES: Readonly<Record<RequestKind, string>> = {
  list: 'tools/list, 10 tools',
  get: 'tasks/get',
  call: 'tools/call → task',
};
const LAYER_TITLES: Readonly<Record<RequestKind, Readonly<Record<string, string>>>> = {
  list: { fastify: '+ Fastify', auth: '+ a bearer token', handlers: '+ our handlers' },
  get: {
    fastify: '+ Fastify',
    auth: '+ a bearer token',
    handlers: '+ our handlers, task followed here',
    log: '+ a read of the log, task over',
  },
  call: { fastify: '+ Fastify', auth: '+ a bearer token', log: '+ our handlers, spec, first event and work item' },
};

function requests(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const [kind, layers] of Object.entries(REQUEST_LAYERS) as Array<[RequestKind, readonly string[]]>) {
    for (const layer of layers) {
      const what = `${REQUEST_TITLES[kind]}: ${LAYER_TITLES[kind][layer] ?? 'bare SDK server on node:http'}`;
      const ours = layer !== 'sdk';
      const id = `requests.${kind}.${layer}`;
      figures[id] = {
        part: 'requests',
        unit: 'requests/s',
        title: () => what,
        ...(ours && { bare: `requests.${kind}.sdk` }),
      };
      figures[`${id}.cpu`] = {
        part: 'requests',
        unit: 'ms CPU',
        title: () => `${what}: of the server process, a request`,
        ...(ours && { bare: `requests.${kind}.sdk.cpu` }),
      };
      figures[`${id}.p99`] = {
        part: 'requests',
        unit: 'ms',
        title: (s) => `${what}: p99 with ${s.requestsInFlight} in flight`,
        ...(ours && { bare: `requests.${kind}.sdk.p99` }),
      };
    }
  }
  return figures;
}

function workers(): Record<string, Figure> {
  const part = 'workers';
  return {
    'workers.dispatch.p50': { part, unit: 'ms', title: () => 'p50: creation → first line of the tool, idle worker' },
    'workers.dispatch.p99': { part, unit: 'ms', title: () => 'p99: creation → first line of the tool, idle worker' },
    'workers.rate': {
      part,
      unit: 'tasks/s',
      title: () => 'tasks that do nothing, creation to end, one worker, 50 slots',
    },
    'workers.takeover.kill': {
      part,
      unit: 'ms',
      title: () => 'SIGKILL → next attempt, lease of 2,000 ms',
    },
    'workers.takeover.drain': {
      part,
      unit: 'ms',
      title: () => 'end of a drained attempt → next attempt',
      target: { of: 'value', atMost: 1_000 },
    },
    'workers.flood.fifo.p50': {
      part,
      unit: 'ms',
      title: (s) => `p50 wait of 5 tasks behind ${n(s.floodTasks)} of another owner, one line, 4 slots`,
    },
    'workers.flood.fair.p50': {
      part,
      unit: 'ms',
      title: () => 'p50 wait of the same with the lines of a queue',
      bare: 'workers.flood.fifo.p50',
    },
    'workers.flood.fifo.max': { part, unit: 'ms', title: () => 'longest wait, one line' },
    'workers.flood.fair.max': {
      part,
      unit: 'ms',
      title: () => 'longest wait, the lines of a queue',
      bare: 'workers.flood.fifo.max',
    },
  };
}

function sweep(): Record<string, Figure> {
  const part = 'sweep';
  return {
    'sweep.queued': {
      part,
      unit: 'ms',
      title: (s) => `a sweep over ${n(s.sweptTasks)} queued tasks, its rests left out`,
    },
    'sweep.ended': { part, unit: 'ms', title: () => 'the same when they have ended, seen for the first time' },
    'sweep.known': { part, unit: 'ms', title: () => 'the same when they are known to have ended' },
  };
}

function move(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const [id, what] of [
    ['cold', 'that has just started'],
    ['warm', 'that has served as many eleven times'],
  ] as const) {
    figures[`move.${id}.processor`] = {
      part: 'move',
      unit: 'ms CPU',
      title: (s) => `a stream, of ${n(s.movedStreams)} that move to a front end ${what}`,
    };
    figures[`move.${id}.p99`] = { part: 'move', unit: 'ms', title: () => 'p99: connect → first event, all at once' };
  }
  return figures;
}

function tracing(): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const [process, title] of [
    ['front', 'front end'],
    ['worker', 'worker'],
  ] as const) {
    for (const [id, what] of [
      ['off', 'no traces'],
      ['tenth', 'one task in ten traced'],
      ['all', 'every task traced'],
    ] as const) {
      figures[`tracing.${id}.${process}`] = {
        part: 'tracing',
        unit: 'ms CPU',
        title: () => `${title}, a task of 20 events: ${what}`,
        ...(id !== 'off' && { bare: `tracing.off.${process}` }),
      };
    }
  }
  return figures;
}

export const FIGURES: Readonly<Record<string, Figure>> = {
  ...append(),
  ...live(),
  ...resume(),
  ...replay(),
  ...memory(),
  ...capacity(),
  ...cancel(),
  ...requests(),
  ...workers(),
  ...sweep(),
  ...move(),
  ...tracing(),
};
