/**
 * How much a run of the benchmark does.
 */

/** How much a run does. The quick one only shows that everything works: its figures mean nothing. */
export interface Scale {
  /** Each measurement is made so often, taking turns with the bare ones; the median counts. */
  readonly rounds: number;
  readonly appendMs: number;
  readonly tasks: number;
  readonly inFlight: number;
  readonly liveMs: number;
  readonly streamsSome: number;
  readonly streamsMany: number;
  readonly logEvents: number;
  /** Events of the log that has one event a pack: it cannot be written fast. */
  readonly singlesEvents: number;
  readonly coldOpens: number;
  readonly warmOpens: number;
  readonly idleStreams: number;
  /** More idle streams, on top of the first: what one costs a process that serves already. */
  readonly moreIdleStreams: number;
  readonly settleMs: number;
  /** How long silent streams are watched: several heartbeats. */
  readonly idleMs: number;
  readonly cancels: number;
  readonly requestMs: number;
  readonly requestsInFlight: number;
  readonly dispatches: number;
  readonly emptyTasks: number;
  readonly floodTasks: number;
  readonly sweptTasks: number;
  /** New front ends that streams move to, one after the other. */
  readonly moves: number;
  readonly movedTasks: number;
  readonly movedStreams: number;
  /** For each kind of sampling and round. */
  readonly tracedTasks: number;
}

export const FULL: Scale = {
  rounds: 3,
  appendMs: 1_200,
  tasks: 100,
  inFlight: 100,
  liveMs: 4_000,
  streamsSome: 100,
  streamsMany: 1_000,
  logEvents: 100_000,
  singlesEvents: 20_000,
  coldOpens: 15,
  warmOpens: 50,
  idleStreams: 2_000,
  moreIdleStreams: 4_000,
  settleMs: 2_500,
  idleMs: 45_000,
  cancels: 300,
  requestMs: 600,
  requestsInFlight: 16,
  dispatches: 100,
  emptyTasks: 500,
  floodTasks: 300,
  sweptTasks: 2_000,
  moves: 5,
  movedTasks: 20,
  movedStreams: 67,
  tracedTasks: 300,
};

export const QUICK: Scale = {
  rounds: 1,
  appendMs: 150,
  tasks: 10,
  inFlight: 100,
  liveMs: 300,
  streamsSome: 5,
  streamsMany: 20,
  logEvents: 3_000,
  singlesEvents: 300,
  coldOpens: 2,
  warmOpens: 3,
  idleStreams: 50,
  moreIdleStreams: 100,
  settleMs: 200,
  idleMs: 300,
  cancels: 3,
  requestMs: 100,
  requestsInFlight: 4,
  dispatches: 5,
  emptyTasks: 20,
  floodTasks: 60,
  sweptTasks: 20,
  moves: 1,
  movedTasks: 4,
  movedStreams: 10,
  tracedTasks: 10,
};
