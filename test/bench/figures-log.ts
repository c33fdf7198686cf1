/**
 * The figures of the log's own paths: append, live, resume, replay.
 *
 * Invariant: each of ours is named beside the bare figure that bounds it.
 */
import { readable as n, type Figure } from './figure.js';
import type { Scale } from './scale.js';

export function append(): Record<string, Figure> {
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

export function live(): Record<string, Figure> {
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

export function resume(): Record<string, Figure> {
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

export function replay(): Record<string, Figure> {
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
