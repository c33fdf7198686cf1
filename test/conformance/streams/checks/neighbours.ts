/**
 * What lives beside streams: capabilities, progress, subscriptions, the status of tasks/get, pause and resume.
 */
import type { Check } from '../kit.js';
import { differences, eventsOf, list } from '../reading.js';
import { describeEnd, EVENT_METHOD, type Message } from '../wire.js';

const METHOD_NOT_FOUND = -32_601;
const PROGRESS_METHOD = 'notifications/progress';
const STATUS_TYPE = /(?:^|[./:])task[./:]status$/;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function mentionsStreams(value: unknown): boolean {
  return /event-?streams|taskEvents|task-events/i.test(JSON.stringify(value ?? {}));
}

const support: Check = {
  name: 'support and its announcement',
  ids: ['SEP2694-UNSUPPORTED', 'SEP2694-ADVERTISED'],
  async run(kit, verdict) {
    const { taskId } = await kit.finished();
    const { end } = await kit.endpoint.stream(taskId);
    const served = end.kind === 'result';
    verdict.expect('SEP2694-UNSUPPORTED', served, `tasks/stream gave ${describeEnd(end)}`);
    // What is not a method at all has the same answer that a server without streams gives.
    const none = await kit.endpoint.request('tasks/streams', { taskId });
    verdict.expect(
      'SEP2694-UNSUPPORTED',
      none.end.kind === 'error' && none.end.error.code === METHOD_NOT_FOUND,
      `a method that does not exist gave ${describeEnd(none.end)}`,
    );
    const discovered = await kit.endpoint.request('server/discover', {});
    const capabilities = discovered.end.kind === 'result' ? discovered.end.result['capabilities'] : undefined;
    if (mentionsStreams(capabilities)) verdict.expect('SEP2694-ADVERTISED', true, '');
    else verdict.skip(['SEP2694-ADVERTISED'], 'server/discover names no event streams');
  },
};

const progress: Check = {
  name: 'a stream with a progress token',
  ids: ['SEP2694-PROGRESS-NOT-EVENTS', 'SEP2694-PROGRESS-ALLOWED'],
  async run(kit, verdict) {
    const { taskId } = await kit.finished();
    const plain = await kit.endpoint.stream(taskId);
    const token = 'kit-progress';
    const leg = await kit.endpoint.stream(taskId, undefined, { meta: { progressToken: token } });
    const wrong = differences(leg.events, plain.events);
    const more = leg.events.length - plain.events.length;
    const told = `with a token the events differ: ${list(wrong)}; ${more} more than without`;
    verdict.expect('SEP2694-PROGRESS-NOT-EVENTS', wrong.length === 0 && more === 0, told);
    const live = await kit.call(kit.options.live);
    const streamed = await kit.endpoint.stream(live, undefined, { meta: { progressToken: token } });
    const again = await kit.endpoint.stream(live);
    const changed = differences(streamed.events, again.events);
    verdict.expect('SEP2694-PROGRESS-NOT-EVENTS', changed.length === 0, `live, events differ: ${list(changed)}`);
    for (const { params } of streamed.others.filter((m) => m.method === PROGRESS_METHOD)) {
      const good = params?.['progressToken'] === token && typeof params['progress'] === 'number';
      verdict.expect('SEP2694-PROGRESS-ALLOWED', good, `progress with ${JSON.stringify(params)}`);
    }
    verdict.skip(['SEP2694-PROGRESS-ALLOWED'], 'the server sent no progress');
  },
};

const outside: Check = {
  name: 'events outside a stream',
  ids: ['SEP2694-ONLY-ON-STREAM', 'SEP2694-OTHER-NOTIFICATIONS', 'SEP2694-BESIDE-SUBSCRIPTION', 'SEP2694-ADDITIVE'],
  async run(kit, verdict) {
    const strays: Message[] = [];
    const taskId = await kit.call(kit.options.live, (answer) => strays.push(...answer.notifications));
    const listening = new AbortController();
    const seen: string[] = [];
    const subscription = kit.endpoint.request(
      'subscriptions/listen',
      { notifications: { taskIds: [taskId] } },
      {
        signal: listening.signal,
        stop: (message) => {
          seen.push(message.method ?? 'a request without a method');
          if (message.method === EVENT_METHOD) strays.push(message);
          return false;
        },
      },
    );
    const reading = await kit.read(taskId);
    const got = await kit.endpoint.request('tasks/get', { taskId });
    strays.push(...got.notifications);
    listening.abort();
    const { end } = await subscription;
    const wrong = strays.filter((m) => m.method === EVENT_METHOD);
    verdict.expect('SEP2694-ONLY-ON-STREAM', wrong.length === 0, `${wrong.length} events came outside a stream`);
    const known = got.end.kind === 'result' ? Object.keys(got.end.result) : [];
    verdict.expect(
      'SEP2694-ADDITIVE',
      wrong.length === 0 &&
        known.includes('status') &&
        !known.some((key) => /^(?:events|seq|after|earliestSeq)$/.test(key)),
      `tasks/get gave ${list(known)}`,
    );
    if (end.kind === 'error' || seen.length === 0) {
      verdict.skip(
        ['SEP2694-BESIDE-SUBSCRIPTION', 'SEP2694-OTHER-NOTIFICATIONS'],
        `subscriptions/listen for a task gave ${describeEnd(end)}`,
      );
      return;
    }
    verdict.expect('SEP2694-OTHER-NOTIFICATIONS', wrong.length === 0, `it sent ${list(seen)}`);
    verdict.expect(
      'SEP2694-BESIDE-SUBSCRIPTION',
      reading.legs.every((leg) => leg.end.kind === 'result') && eventsOf(reading).length > 1,
      `beside a subscription the stream gave ${eventsOf(reading).length} events`,
    );
  },
};

const status: Check = {
  name: 'status events and tasks/get',
  ids: ['SEP2694-STATUS-CONSISTENT'],
  async run(kit, verdict) {
    const reading = await kit.finished();
    const last = eventsOf(reading).findLast((e) => STATUS_TYPE.test(String(e.params['type'])));
    if (last === undefined) {
      verdict.skip(status.ids, 'no event has a type that ends in task.status');
      return;
    }
    const payload = last.params['payload'];
    const told = isObject(payload) ? payload['status'] : undefined;
    const got = await kit.get(reading.taskId);
    verdict.expect(status.ids[0]!, told === got.status, `the last event says ${String(told)}, tasks/get ${got.status}`);
  },
};

/** SEP-2669's own names, and those under which taskstream serves it. */
const PAUSING = [
  ['tasks/pause', 'tasks/resume'],
  ['dev.taskstream/pause', 'dev.taskstream/resume'],
] as const;

const pause: Check = {
  name: 'pause and resume',
  ids: ['SEP2694-PAUSE-EVENTS'],
  async run(kit, verdict) {
    const taskId = await kit.call(kit.options.long);
    try {
      let resumeMethod: string | undefined;
      for (const [pauseMethod, itsResume] of PAUSING) {
        const { end } = await kit.endpoint.request(pauseMethod, { taskId });
        if (end.kind !== 'result') continue;
        resumeMethod = itsResume;
        break;
      }
      if (resumeMethod === undefined) {
        verdict.skip(pause.ids, 'SEP-2669 is not served: tasks/pause is refused');
        return;
      }
      const { status: after } = await kit.get(taskId);
      const tellsOf = async (word: RegExp) => {
        const leg = await kit.endpoint.stream(taskId, undefined, {
          stop: (e) => word.test(String(e.params['type'])),
        });
        return leg.end.kind === 'stopped';
      };
      verdict.expect('SEP2694-PAUSE-EVENTS', await tellsOf(/pause/i), `no event tells of the pause; it is ${after}`);
      await kit.endpoint.request(resumeMethod, { taskId });
      verdict.expect('SEP2694-PAUSE-EVENTS', await tellsOf(/resume/i), 'no event tells of the resume');
    } finally {
      await kit.cancel(taskId);
    }
  },
};

export const NEIGHBOUR_CHECKS: readonly Check[] = [support, progress, outside, status, pause];
