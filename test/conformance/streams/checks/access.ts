/**
 * Who may: tasks that are not there, and tasks of somebody else.
 */
import type { Check } from '../kit.js';
import { describeEnd, type End } from '../wire.js';

const codeOf = (end: End): number | undefined => (end.kind === 'error' ? end.error.code : undefined);

const unknown: Check = {
  name: 'a task that is not there',
  ids: ['SEP2694-SAME-AUTHORIZATION'],
  async run(kit, verdict) {
    const { taskId } = await kit.finished();
    // Of the same form as a real one, and never given out.
    const other = `${taskId.slice(0, -4)}${taskId.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
    const get = await kit.endpoint.request('tasks/get', { taskId: other });
    const leg = await kit.endpoint.stream(other);
    verdict.expect(
      'SEP2694-SAME-AUTHORIZATION',
      codeOf(leg.end) !== undefined && leg.events.length === 0 && codeOf(leg.end) === codeOf(get.end),
      `tasks/get gave ${describeEnd(get.end)}, tasks/stream ${leg.events.length} events and ${describeEnd(leg.end)}`,
    );
  },
};

const foreign: Check = {
  name: 'a task of somebody else',
  ids: ['SEP2694-FOREIGN-REFUSED', 'SEP2694-BOUND-TO-OWNER', 'SEP2694-SAME-AUTHORIZATION'],
  async run(kit, verdict) {
    const { otherHeaders, long } = kit.options;
    if (otherHeaders === undefined) {
      verdict.skip(foreign.ids, 'needs --other-header');
      return;
    }
    const { taskId } = await kit.finished();
    const live = await kit.call(long);
    const stranger = kit.endpoint.as(otherHeaders);
    try {
      for (const id of [taskId, live]) {
        const get = await stranger.request('tasks/get', { taskId: id });
        for (const after of [undefined, 0]) {
          const leg = await stranger.stream(id, after, { stop: () => true });
          const seen = `tasks/stream gave ${leg.events.length} events and ${describeEnd(leg.end)}`;
          const refused = codeOf(leg.end) !== undefined && leg.events.length === 0;
          verdict.expect('SEP2694-FOREIGN-REFUSED', refused, seen);
          verdict.expect('SEP2694-BOUND-TO-OWNER', refused, seen);
          verdict.expect(
            'SEP2694-SAME-AUTHORIZATION',
            refused && codeOf(leg.end) === codeOf(get.end),
            `tasks/get gave ${describeEnd(get.end)}, ${seen}`,
          );
        }
      }
      const own = await stranger.request('tools/call', {
        name: kit.options.finite.name,
        arguments: kit.options.finite.args,
      });
      verdict.expect('SEP2694-FOREIGN-REFUSED', own.end.kind === 'result', `--other-header: ${describeEnd(own.end)}`);
    } finally {
      await kit.cancel(live);
    }
  },
};

export const ACCESS_CHECKS: readonly Check[] = [unknown, foreign];
