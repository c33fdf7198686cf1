/**
 * What a figure of the benchmark is, and the parts of a run.
 *
 * Invariant: a figure that misses its target has been measured all the same.
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

/** A count as a title has it. */
export const readable = (value: number) => value.toLocaleString('en-US');
