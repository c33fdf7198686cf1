/**
 * Tasks that still run: cuts and resumes, and readers that come while events are emitted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Check } from '../kit.js';
import { differences, eventsOf, leftOut, list, seqFaults, type Reading } from '../reading.js';
import type { Verdict } from '../report.js';
import { describeEnd } from '../wire.js';

const CUTS = 8;
const JOINERS_MAX = 16;
const EVENTS_MIN = 20;
/** Time for a server to notice that a stream was closed, and to do what it should not. */
const NOTICE_MS = 500;
/** That a task emits after its stream was closed. */
const MORE_EVENTS = 50;

/** Every stream of a reading ended as it may: by the kit, or with the empty result. */
function expectLawfulEnds(verdict: Verdict, reading: Reading): void {
  for (const { end } of reading.legs) {
    verdict.expect(
      'SEP2694-EMPTY-RESULT',
      end.kind === 'result' || end.kind === 'stopped',
      `a stream that the kit left open ended with ${describeEnd(end)}`,
    );
  }
}

const resume: Check = {
  name: 'a live task, cut and resumed',
  ids: ['SEP2694-REPLAY-THEN-LIVE', 'SEP2694-NO-SILENT-SKIP', 'SEP2694-AFTER-EXCLUSIVE', 'SEP2694-EMPTY-RESULT'],
  async run(kit, verdict) {
    const taskId = await kit.call(kit.options.live);
    const reading = await kit.read(taskId, { cuts: CUTS });
    const faults = seqFaults(reading.legs, 0);
    const whole = await kit.endpoint.stream(taskId);
    const missing = [...faults.missing, ...leftOut(eventsOf(reading), whole.events)];
    const wrong = [...faults.backwards, ...faults.repeated];
    verdict.expect('SEP2694-NO-SILENT-SKIP', missing.length === 0, `left out: ${list(missing)}`);
    verdict.expect('SEP2694-AFTER-EXCLUSIVE', faults.notAfter.length === 0, `came: ${list(faults.notAfter)}`);
    verdict.expect('SEP2694-REPLAY-THEN-LIVE', wrong.length === 0, `repeated or out of order: ${list(wrong)}`);
    const count = eventsOf(reading).length;
    verdict.expect('SEP2694-REPLAY-THEN-LIVE', count >= EVENTS_MIN, `only ${count} events of the live tool came`);
    expectLawfulEnds(verdict, reading);
  },
};

const handOff: Check = {
  name: 'readers that come while a task emits',
  ids: [
    'SEP2694-NO-SILENT-SKIP',
    'SEP2694-REPLAY-THEN-LIVE',
    'SEP2694-OMITTED-EARLIEST',
    'SEP2694-EVENT-IMMUTABLE',
    'SEP2694-EMPTY-RESULT',
  ],
  async run(kit, verdict) {
    const taskId = await kit.call(kit.options.live);
    const joiners: Array<Promise<{ after: number | undefined; reading: Reading }>> = [];
    const join = (after?: number) =>
      joiners.push(kit.read(taskId, after === undefined ? {} : { after }).then((reading) => ({ after, reading })));
    let came = 0;
    const first = await kit.read(taskId, {
      onEvent: ({ seq }) => {
        came++;
        if (joiners.length >= JOINERS_MAX || came % 2 !== 0 || !(seq >= 0)) return;
        join([undefined, seq, 0, Math.max(0, seq - 1)][joiners.length % 4]);
      },
    });
    const readings = await Promise.all(joiners);
    const whole = await kit.read(taskId);
    const history = eventsOf(whole);
    for (const { after, reading } of [{ after: undefined, reading: first }, ...readings]) {
      const events = eventsOf(reading);
      const faults = seqFaults(reading.legs, (after ?? -1) + 1);
      const missing = [...new Set([...faults.missing, ...leftOut(events, history, after)])];
      const at = after === undefined ? 'without a cursor' : `after ${after}`;
      verdict.expect('SEP2694-NO-SILENT-SKIP', missing.length === 0, `${at}: left out ${list(missing)}`);
      if (after === undefined) {
        verdict.expect('SEP2694-OMITTED-EARLIEST', missing.length === 0, `left out ${list(missing)}`);
      }
      const wrong = [...faults.repeated, ...faults.backwards];
      verdict.expect('SEP2694-REPLAY-THEN-LIVE', wrong.length === 0, `${at}: repeated or out of order: ${list(wrong)}`);
      const changed = differences(events, history);
      verdict.expect('SEP2694-EVENT-IMMUTABLE', changed.length === 0, `${at}: not as others saw it: ${list(changed)}`);
      expectLawfulEnds(verdict, reading);
    }
    const tried = `only ${readings.length} readers came while the task ran: the live tool is too short`;
    verdict.expect('SEP2694-NO-SILENT-SKIP', readings.length > 3, tried);
  },
};

const cancelStream: Check = {
  name: 'the end of a stream is not the end of its task',
  ids: ['SEP2694-CANCEL-KEEPS-TASK'],
  async run(kit, verdict) {
    const taskId = await kit.call(kit.options.long);
    try {
      const before = await kit.endpoint.stream(taskId, undefined, { stop: (_event, count) => count >= 3 });
      await delay(NOTICE_MS);
      const { status } = await kit.get(taskId);
      verdict.expect('SEP2694-CANCEL-KEEPS-TASK', status === 'working', `the task is ${status} after its stream`);
      // Everything that was emitted so far, then what comes new.
      const wanted = before.events.length + MORE_EVENTS;
      const after = await kit.endpoint.stream(taskId, undefined, { stop: (_event, count) => count >= wanted });
      verdict.expect(
        'SEP2694-CANCEL-KEEPS-TASK',
        after.end.kind === 'stopped',
        `after its stream the task emitted up to event ${after.events.at(-1)?.seq ?? 'none'}, then ${describeEnd(after.end)}`,
      );
    } finally {
      await kit.cancel(taskId);
    }
  },
};

export const LIVE_CHECKS: readonly Check[] = [resume, handOff, cancelStream];
