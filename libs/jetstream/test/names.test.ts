/** Persisted names are an API: each is pinned here, and none can be broken by what it is made of. */
import { formatTaskId, QueueName } from '@taskstream/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CANCELLED_SUBJECT,
  CATALOGUE_BUCKET,
  cmdSubject,
  evtSubject,
  FORMAT_VERSION,
  Header,
  holdSubject,
  LAYOUT_METADATA_KEY,
  LAYOUT_VERSION,
  LINES,
  lineSubjects,
  liveSubject,
  LIVE_PREFIX,
  QUESTIONS_BUCKET,
  queueConsumers,
  REST_PRIORITY,
  specSubject,
  streamName,
  streamSubjects,
  WORK_STREAM,
  WORK_SUBJECTS,
  workSubject,
  workTaskId,
} from '../src/names.js';

const PLACE = { retentionClass: 'd', shard: 3 };
const TASK_ID = 'd3-V1StGXR8_Z5jdHi6B-myTg';

describe('names', () => {
  it('of streams, subjects, buckets and consumers are as they were', () => {
    expect(streamName(PLACE)).toBe('TASKS_d_3');
    expect(streamSubjects(PLACE)).toEqual(['evt.d.3.*', 'spec.d.3.*', 'cmd.d.3.*', 'state.d.3.*.*']);
    expect(evtSubject(PLACE, TASK_ID)).toBe(`evt.d.3.${TASK_ID}`);
    expect(specSubject(PLACE, TASK_ID)).toBe(`spec.d.3.${TASK_ID}`);
    expect(cmdSubject(PLACE, TASK_ID)).toBe(`cmd.d.3.${TASK_ID}`);
    expect(liveSubject(evtSubject(PLACE, TASK_ID))).toBe(`live.evt.d.3.${TASK_ID}`);
    expect(workSubject({ queue: 'default', priority: 5, fairnessKey: 'me', taskId: TASK_ID })).toBe(
      `work.default.5.me.${TASK_ID}`,
    );
    expect(queueConsumers('gpu')).toEqual(['FIRST_gpu', 'QUEUE_gpu', 'LAST_gpu', 'REST_gpu']);
    expect(LINES.map((line) => line.priorities)).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]);
    expect(lineSubjects('gpu', LINES[3])).toEqual(['work.gpu.9.*.*']);
    expect(REST_PRIORITY).toBe(9);
    expect(holdSubject('tool~x', TASK_ID)).toBe(`work.hold.tool~x.${TASK_ID}`);
    expect({ WORK_STREAM, WORK_SUBJECTS, CATALOGUE_BUCKET, QUESTIONS_BUCKET, CANCELLED_SUBJECT, LIVE_PREFIX }).toEqual({
      WORK_STREAM: 'WORK',
      WORK_SUBJECTS: 'work.>',
      CATALOGUE_BUCKET: 'TASKSTREAM_TOOLS',
      QUESTIONS_BUCKET: 'TASKSTREAM_QUESTIONS',
      CANCELLED_SUBJECT: 'ctl.cancelled',
      LIVE_PREFIX: 'live.',
    });
  });

  it('of headers and versions are as they were', () => {
    expect({ LAYOUT_METADATA_KEY, LAYOUT_VERSION, FORMAT_VERSION }).toEqual({
      LAYOUT_METADATA_KEY: 'taskstream_layout',
      LAYOUT_VERSION: '1',
      FORMAT_VERSION: '1',
    });
    expect(Header).toEqual({
      version: 'Ts-V',
      seq: 'Ts-Seq',
      count: 'Ts-Count',
      attempt: 'Ts-Attempt',
      failures: 'Ts-Failures',
      item: 'Ts-Item',
      delivery: 'Ts-Delivery',
      handedOver: 'Ts-Handed-Over',
      suspended: 'Ts-Suspended',
      taken: 'Ts-Taken',
      paused: 'Ts-Paused',
      write: 'Ts-Write',
      status: 'Ts-Status',
      statusAt: 'Ts-Status-At',
      entry: 'Ts-Entry',
    });
  });

  const place = fc.record({ retentionClass: fc.stringMatching(/^[a-z]{1,8}$/), shard: fc.nat({ max: 9_999 }) });
  const random = fc.stringMatching(/^[A-Za-z0-9_-]{22,64}$/);

  it('of a task lie in the stream of its place, in one subject of each kind, and in no other', () => {
    const matches = (filter: string, subject: string) =>
      new RegExp(`^${filter.replaceAll('.', '\\.').replaceAll('*', '[^.]+')}$`).test(subject);
    fc.assert(
      fc.property(place, place, random, (at, elsewhere, rest) => {
        const id = formatTaskId(at, rest);
        for (const subject of [evtSubject(at, id), specSubject(at, id), cmdSubject(at, id)]) {
          expect(streamSubjects(at).filter((filter) => matches(filter, subject))).toHaveLength(1);
          const same = at.retentionClass === elsewhere.retentionClass && at.shard === elsewhere.shard;
          expect(streamSubjects(elsewhere).some((filter) => matches(filter, subject))).toBe(same);
        }
      }),
    );
  });

  it('of a work item give back its task, whatever queue and key it has', () => {
    const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);
    fc.assert(
      fc.property(place, random, token, token, fc.integer({ min: 0, max: 9 }), (at, rest, queue, key, priority) => {
        const taskId = formatTaskId(at, rest);
        expect(QueueName.safeParse(queue).success).toBe(true);
        const subject = workSubject({ queue, priority, fairnessKey: key, taskId });
        expect(workTaskId(subject)).toBe(taskId);
        const matches = (filter: string) =>
          new RegExp(`^${filter.replaceAll('.', '\\.').replaceAll('*', '[^.]+')}$`).test(subject);
        expect(LINES.filter((line) => lineSubjects(queue, line).some(matches))).toHaveLength(1);
        expect(subject.split('.')).toHaveLength(5);
      }),
    );
  });
});
