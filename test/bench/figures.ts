/**
 * Every figure of the benchmark: what it is, in which unit, which bare figure bounds it, and what it should reach.
 *
 * Invariant: a run that leaves out a figure of a part that it ran has failed; a missed target has not.
 */
import { readable as n, type Figure } from './figure.js';
import { append, live, replay, resume } from './figures-log.js';
import type { Scale } from './scale.js';

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
