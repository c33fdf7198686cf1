/** A task that records what a tool does with it. */
import type { Task } from '@taskstream/worker';

export interface RecordedEvent {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface FakeTask extends Task {
  readonly events: RecordedEvent[];
  readonly statuses: string[];
  readonly progresses: Array<readonly [done: number, total: number | undefined]>;
}

export interface FakeTaskOptions {
  readonly signal?: AbortSignal;
  /** Called at every emit, before it is recorded; its promise is when the event becomes durable. */
  readonly onEmit?: (event: RecordedEvent, index: number) => Promise<void> | void;
}

export function fakeTask(options: FakeTaskOptions = {}): FakeTask {
  const events: RecordedEvent[] = [];
  const statuses: string[] = [];
  const progresses: Array<readonly [number, number | undefined]> = [];
  const used: Pick<
    FakeTask,
    'id' | 'attempt' | 'signal' | 'events' | 'statuses' | 'progresses' | 'emit' | 'status' | 'progress'
  > = {
    id: 'd0-fake',
    attempt: 1,
    signal: options.signal ?? new AbortController().signal,
    events,
    statuses,
    progresses,
    emit: async (type, payload) => {
      // What cannot be encoded must not pass for an event.
      const event: RecordedEvent = { type, payload: JSON.parse(JSON.stringify(payload)) as Record<string, unknown> };
      events.push(event);
      await options.onEmit?.(event, events.length - 1);
    },
    status: async (message) => {
      statuses.push(message);
    },
    progress: async (done, total) => {
      progresses.push([done, total]);
    },
  };
  // What these tools do not use is not there: a call of it fails the test.
  return used as FakeTask;
}
