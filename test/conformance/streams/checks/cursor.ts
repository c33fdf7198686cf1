/**
 * The cursor of a task that is over: every place in it, none, and what is no cursor.
 */
import type { Check } from '../kit.js';
import { differences, eventsOf, leftOut, list, seqFaults } from '../reading.js';
import { describeEnd } from '../wire.js';

/** Longer histories are tried at this many places, spread over them. */
const PLACES_MAX = 100;
const AT_ONCE = 4;
const INVALID_PARAMS = -32_602;
const INVALID: readonly unknown[] = [-1, -0.5, 1.5, '3', '', null, true, [], {}];
/** An integer beyond what JSON's usual readers hold exactly: may be refused, or taken as beyond the end. */
const HUGE = 2 ** 60;

/** Up to `PLACES_MAX` whole numbers from 0 to `last`, both included. */
function places(last: number): number[] {
  const count = Math.min(last + 1, PLACES_MAX);
  return [...new Set(Array.from({ length: count }, (_, i) => Math.round((i * last) / Math.max(1, count - 1))))];
}

const everyPlace: Check = {
  name: 'every cursor of a task that is over',
  ids: ['SEP2694-AFTER-EXCLUSIVE', 'SEP2694-NO-SILENT-SKIP', 'SEP2694-REPLAY-THEN-LIVE', 'SEP2694-EVENT-IMMUTABLE'],
  async run(kit, verdict) {
    const { taskId, legs } = await kit.finished();
    const history = eventsOf({ taskId, legs });
    const last = history.at(-1)?.seq ?? -1;
    if (!(last > 0)) throw new Error('the finite tool gave fewer than two events');
    const left = places(last - 1);
    const reader = async () => {
      for (let after = left.shift(); after !== undefined; after = left.shift()) {
        const leg = await kit.endpoint.stream(taskId, after);
        const at = `after ${after}`;
        const faults = seqFaults([leg], after + 1);
        const missing = [...faults.missing, ...leftOut(leg.events, history, after)];
        const changed = differences(leg.events, history);
        verdict.expect('SEP2694-AFTER-EXCLUSIVE', faults.notAfter.length === 0, `came: ${list(faults.notAfter)}`);
        verdict.expect('SEP2694-NO-SILENT-SKIP', missing.length === 0, `${at}: left out ${list(missing)}`);
        verdict.expect('SEP2694-EVENT-IMMUTABLE', changed.length === 0, `${at}: not as before: ${list(changed)}`);
        verdict.expect(
          'SEP2694-REPLAY-THEN-LIVE',
          leg.end.kind === 'result' && faults.repeated.length === 0 && faults.backwards.length === 0,
          `${at}: ended with ${describeEnd(leg.end)}; repeated: ${list(faults.repeated)}; out of order: ${list(faults.backwards)}`,
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, reader));
  },
};

const omitted: Check = {
  name: 'no cursor, for a task that is over',
  ids: ['SEP2694-OMITTED-EARLIEST'],
  async run(kit, verdict) {
    const { taskId, legs } = await kit.finished();
    const leg = await kit.endpoint.stream(taskId);
    const missing = leftOut(leg.events, eventsOf({ taskId, legs }));
    verdict.expect('SEP2694-OMITTED-EARLIEST', missing.length === 0, `left out: ${list(missing)}`);
    verdict.expect('SEP2694-OMITTED-EARLIEST', leg.end.kind === 'result', `ended with ${describeEnd(leg.end)}`);
  },
};

const invalid: Check = {
  name: 'what is no cursor',
  ids: ['SEP2694-AFTER-INVALID-REFUSED'],
  async run(kit, verdict) {
    const { taskId } = await kit.finished();
    for (const after of INVALID) {
      const { end, events } = await kit.endpoint.stream(taskId, after);
      verdict.expect(
        'SEP2694-AFTER-INVALID-REFUSED',
        events.length === 0 && end.kind === 'error' && end.error.code === INVALID_PARAMS,
        `after ${JSON.stringify(after)}: ${events.length} events and ${describeEnd(end)}`,
      );
    }
    const { end, events } = await kit.endpoint.stream(taskId, HUGE);
    verdict.expect(
      'SEP2694-AFTER-INVALID-REFUSED',
      events.length === 0 && (end.kind === 'result' || (end.kind === 'error' && end.error.code === INVALID_PARAMS)),
      `after 2^60: ${events.length} events and ${describeEnd(end)}`,
    );
  },
};

const terminal: Check = {
  name: 'nothing after the cursor of a task that is over',
  ids: ['SEP2694-TERMINAL-EMPTY'],
  async run(kit, verdict) {
    const { taskId, legs } = await kit.finished();
    const last = eventsOf({ taskId, legs }).at(-1)?.seq ?? 0;
    for (const after of [last, last + 1, last + 1_000]) {
      const { end, events } = await kit.endpoint.stream(taskId, after);
      verdict.expect(
        'SEP2694-TERMINAL-EMPTY',
        events.length === 0 && end.kind === 'result',
        `after ${after} of ${last}: ${events.length} events and ${describeEnd(end)}`,
      );
    }
  },
};

export const CURSOR_CHECKS: readonly Check[] = [everyPlace, omitted, invalid, terminal];
