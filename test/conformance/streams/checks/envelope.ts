/**
 * Every event by itself and in its order: a finite task, read from its start to its end.
 */
import type { Check } from '../kit.js';
import { eventsOf, list, seqFaults } from '../reading.js';
import { describeEnd, RELATED_TASK, type WireEvent } from '../wire.js';

/** Heads that name a subject of MCP and no vendor; the SEP's own examples of reserved types begin so. */
const RESERVED_HEAD =
  /^(?:io\.modelcontextprotocol|modelcontextprotocol|mcp|tasks?|tools?|content|messages?|status|progress|notifications?|resources?|prompts?)(?=[./:]|$)/i;
const WITH_HEAD = /^[^./:\s]+[./:]\S/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function relatedTask(event: WireEvent): unknown {
  const meta = event.params['_meta'];
  const related = isObject(meta) ? meta[RELATED_TASK] : undefined;
  return isObject(related) ? related['taskId'] : undefined;
}

const envelope: Check = {
  name: 'a finite task from its start to its end',
  ids: [
    'SEP2694-SEQ-STARTS-AT-ZERO',
    'SEP2694-SEQ-STEPS-BY-ONE',
    'SEP2694-SEQ-ORDER',
    'SEP2694-PAYLOAD-OBJECT',
    'SEP2694-EVENT-RELATED-TASK',
    'SEP2694-RELATED-TASK-PRESENT',
    'SEP2694-RELATED-TASK-MATCHES',
    'SEP2694-TYPE-RESERVED',
    'SEP2694-TYPE-VENDOR-PREFIX',
    'SEP2694-SAME-CONNECTION',
    'SEP2694-EMPTY-RESULT',
  ],
  async run(kit, verdict) {
    const reading = await kit.finished();
    const events = eventsOf(reading);
    const first = events[0]?.seq ?? Number.NaN;
    verdict.expect('SEP2694-SAME-CONNECTION', events.length > 1, `${events.length} events came on the stream`);
    verdict.expect('SEP2694-SEQ-STARTS-AT-ZERO', first === 0, `the first event has seq ${first}`);
    const faults = seqFaults(reading.legs, Number.isFinite(first) ? first : 0);
    verdict.expect('SEP2694-SEQ-ORDER', faults.backwards.length === 0, `out of order: ${list(faults.backwards)}`);
    for (const [what, wrong] of [
      ['no sequence number', faults.unnumbered],
      ['repeated', faults.repeated],
      ['missing', faults.missing],
    ] as const) {
      verdict.expect('SEP2694-SEQ-STEPS-BY-ONE', wrong.length === 0, `${what}: ${list(wrong)}`);
    }
    for (const event of events) {
      const { type, payload, taskId } = event.params;
      const related = relatedTask(event);
      const at = `event ${event.seq}`;
      verdict.expect('SEP2694-PAYLOAD-OBJECT', isObject(payload), `${at} has the payload ${JSON.stringify(payload)}`);
      verdict.expect('SEP2694-RELATED-TASK-PRESENT', related !== undefined, `${at} has no related task`);
      verdict.expect(
        'SEP2694-RELATED-TASK-MATCHES',
        related === undefined || related === taskId,
        `${at} of ${String(taskId)} is related to ${String(related)}`,
      );
      verdict.expect(
        'SEP2694-EVENT-RELATED-TASK',
        related === reading.taskId && taskId === reading.taskId,
        `${at} of ${reading.taskId} has the task ${String(taskId)} and is related to ${String(related)}`,
      );
      const name = typeof type === 'string' ? type : '';
      const told = `${at} has the type ${JSON.stringify(type)}`;
      verdict.expect('SEP2694-TYPE-VENDOR-PREFIX', WITH_HEAD.test(name), told);
      verdict.expect('SEP2694-TYPE-RESERVED', WITH_HEAD.test(name) && !RESERVED_HEAD.test(name), told);
    }
    for (const { end } of reading.legs) {
      if (end.kind !== 'result') {
        verdict.expect('SEP2694-EMPTY-RESULT', false, `the stream ended with ${describeEnd(end)}`);
        continue;
      }
      const more = Object.keys(end.result).filter((key) => key !== '_meta' && key !== 'resultType');
      verdict.expect('SEP2694-EMPTY-RESULT', more.length === 0, `the result holds ${list(more)}`);
    }
  },
};

const perTask: Check = {
  name: 'two tasks at once',
  ids: ['SEP2694-SEQ-PER-TASK'],
  async run(kit, verdict) {
    const ids = await Promise.all([kit.call(kit.options.finite), kit.call(kit.options.finite)]);
    const readings = await Promise.all(ids.map((taskId) => kit.read(taskId)));
    for (const reading of readings) {
      const events = eventsOf(reading);
      const faults = seqFaults(reading.legs, 0);
      const foreign = events.filter((e) => e.params['taskId'] !== reading.taskId);
      verdict.expect('SEP2694-SEQ-PER-TASK', faults.missing.length === 0, `missing: ${list(faults.missing)}`);
      verdict.expect('SEP2694-SEQ-PER-TASK', foreign.length === 0, `${foreign.length} events of another task`);
    }
  },
};

export const ENVELOPE_CHECKS: readonly Check[] = [envelope, perTask];
