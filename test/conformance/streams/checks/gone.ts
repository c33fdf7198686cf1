/**
 * A task whose oldest events are gone.
 */
import * as z from 'zod';
import type { Check } from '../kit.js';
import { list, seqFaults } from '../reading.js';
import { describeEnd } from '../wire.js';

const GoneData = z.looseObject({ reason: z.literal('events_gone'), taskId: z.string(), earliestSeq: z.int() });
const SERVER_ERROR = { min: -32_099, max: -32_000 };

const gone: Check = {
  name: 'a task whose oldest events are gone',
  ids: [
    'SEP2694-RESUME-GONE',
    'SEP2694-GAP-IS-GONE',
    'SEP2694-DROPPED-IS-GONE',
    'SEP2694-GONE-SHAPE',
    'SEP2694-GONE-EARLIEST',
    'SEP2694-GONE-RECOVERABLE',
  ],
  async run(kit, verdict) {
    const { trimmed } = kit.options;
    if (trimmed === undefined) {
      verdict.skip(gone.ids, 'needs --trimmed-task and --earliest');
      return;
    }
    const { taskId, earliestSeq } = trimmed;
    for (const after of new Set([0, Math.floor((earliestSeq - 2) / 2), earliestSeq - 2])) {
      const { end, events } = await kit.endpoint.stream(taskId, after, { stop: () => true });
      const seen = `after ${after}: ${events.length} events and ${describeEnd(end)}`;
      const data = end.kind === 'error' ? GoneData.safeParse(end.error.data) : undefined;
      const refused = events.length === 0 && end.kind === 'error';
      for (const id of ['SEP2694-RESUME-GONE', 'SEP2694-GAP-IS-GONE', 'SEP2694-DROPPED-IS-GONE'] as const) {
        verdict.expect(id, refused, seen);
      }
      if (end.kind !== 'error') {
        verdict.skip(['SEP2694-GONE-SHAPE', 'SEP2694-GONE-EARLIEST'], 'there was no error to look at');
        continue;
      }
      const { code } = end.error;
      verdict.expect(
        'SEP2694-GONE-SHAPE',
        code >= SERVER_ERROR.min && code <= SERVER_ERROR.max && data?.success === true && data.data.taskId === taskId,
        `${seen} with the data ${JSON.stringify(end.error.data)}`,
      );
      verdict.expect(
        'SEP2694-GONE-EARLIEST',
        data?.success === true && data.data.earliestSeq === earliestSeq,
        `the data are ${JSON.stringify(end.error.data)}, the first event is ${earliestSeq}`,
      );
    }
    for (const after of [undefined, earliestSeq - 1]) {
      const leg = await kit.endpoint.stream(taskId, after, { stop: (_event, count) => count >= 3 });
      const faults = seqFaults([leg], earliestSeq);
      const wrong = [...faults.missing, ...faults.repeated, ...faults.backwards, ...faults.notAfter];
      verdict.expect(
        'SEP2694-GONE-RECOVERABLE',
        leg.events[0]?.seq === earliestSeq && wrong.length === 0,
        `after ${after ?? 'nothing'}: first ${leg.events[0]?.seq ?? 'none'}, wrong: ${list(wrong)}; ${describeEnd(leg.end)}`,
      );
    }
  },
};

export const GONE_CHECKS: readonly Check[] = [gone];
