/** A short run of the chaos on workers, and its judge on logs that are wrong. The long one: `npm run chaos:workers`. */
import { EVENT_META_KEY, RELATED_TASK_META_KEY, SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { describe, expect, it } from 'vitest';
import { judge, parseJournal, type JournalLine } from './checks.js';
import { randomOf } from './faults.js';
import { playScene, type SceneOptions } from './scene.js';

const SHORT: Omit<SceneOptions, 'fault' | 'everyMs'> = {
  nodes: 1,
  seed: 11,
  workers: 2,
  tasks: 8,
  // A task takes longer than the time to the first fault, however fast the machine is.
  steps: 4,
  stepMs: 400,
  strikeMs: 3_000,
  settleMsMax: 60_000,
};

describe('workers that are broken while they work lose nothing', () => {
  it.each([
    { fault: 'kill', everyMs: 600 },
    { fault: 'stop', everyMs: 400 },
    { fault: 'nats', everyMs: 1_000 },
    { fault: 'scale', everyMs: 300 },
  ] as const)('by $fault', { timeout: 120_000 }, async ({ fault, everyMs }) => {
    const result = await playScene({ ...SHORT, fault, everyMs });
    expect(result.faults).toEqual([]);
    expect(result).toMatchObject({ tasks: 8, completed: 8 });
    expect(result.hits).toBeGreaterThan(0);
  });
});

describe('the judge', () => {
  const taskId = 'd0-AAAAAAAAAAAAAAAAAAAAAA';
  const event = (type: string, attempt: number, payload: Record<string, unknown>, seq: number): TaskEvent => ({
    taskId,
    seq,
    type,
    payload,
    _meta: { [RELATED_TASK_META_KEY]: { taskId }, [EVENT_META_KEY]: { at: '', attempt, worker: 'w' } },
  });
  const log = (...rows: Array<[string, number, Record<string, unknown>]>) => [
    { taskId, events: rows.map(([type, attempt, payload], seq) => event(type, attempt, payload, seq)) },
  ];
  const STEP = 'com.example.chaos.step';
  const good: Array<[string, number, Record<string, unknown>]> = [
    [SystemEvent.attemptStarted, 1, { attempt: 1 }],
    [STEP, 1, { step: 0, value: 'a' }],
    [SystemEvent.attemptStarted, 2, { attempt: 2 }],
    [STEP, 2, { step: 0, value: 'a' }],
    [STEP, 2, { step: 1, value: 'b' }],
    [SystemEvent.taskStatus, 2, { status: 'completed' }],
  ];
  const line = (what: 'ran' | 'acknowledged', attempt: number, step: number, value: string): JournalLine => ({
    what,
    taskId,
    attempt,
    step,
    value,
  });
  const journal = [
    line('ran', 1, 0, 'a'),
    line('acknowledged', 1, 0, 'a'),
    line('ran', 1, 1, 'lost with its worker'),
    line('ran', 2, 1, 'b'),
    line('acknowledged', 2, 1, 'b'),
  ];
  const without = (index: number) => good.filter((_row, i) => i !== index);

  it('finds nothing wrong with what is right, and counts', () => {
    expect(judge(log(...good), journal, 2)).toEqual({
      tasks: 1,
      completed: 1,
      events: 6,
      attempts: 2,
      stepsAgain: 1,
      faults: [],
    });
  });

  it.each([
    ['nothing at all', [], [], /nothing was checked/],
    ['a task that did not complete', log(...without(5)), journal, /ended with/],
    ['an acknowledged event that is not there', log(...without(1)), journal, /attempt 1 was acknowledged and is lost/],
    ['a step that is missing', log(...without(4)), journal, /1 of 2 steps/],
    ['a missing attempt', log(...without(0)), journal, /attempt 2 is the 1th/],
    [
      'an event behind a newer attempt',
      log(...good.slice(0, 3), [STEP, 1, { step: 1, value: 'b' }]),
      journal,
      /lies behind/,
    ],
    ['a second result', log(...good.with(3, [STEP, 2, { step: 0, value: 'c' }])), journal, /had two results/],
    ['a step told twice', log(...good.toSpliced(4, 0, [STEP, 2, { step: 0, value: 'a' }])), journal, /told twice/],
    ['steps that ran too often', log(...good), [...journal, line('ran', 2, 0, 'a')], /2 steps ran again in 2 attempts/],
    [
      'a result that nobody made',
      log(...good),
      journal.filter((l) => l.value !== 'b'),
      /nobody made the result of step 1/,
    ],
  ] as const)('finds %s', (_what, logs, lines, fault) => {
    expect(judge(logs, lines, 2).faults.join('\n')).toMatch(fault);
  });

  it('passes over a line that was cut off', () => {
    const text = `${JSON.stringify(journal[0])}\n{"what":"ra`;
    expect(parseJournal(text)).toEqual([journal[0]]);
  });
});

it('a seed gives the same victims again', () => {
  const draw = (seed: number) => {
    const random = randomOf(seed);
    return Array.from({ length: 50 }, random);
  };
  expect(draw(5)).toEqual(draw(5));
  expect(draw(5)).not.toEqual(draw(6));
  expect(draw(5).every((n) => n >= 0 && n < 1)).toBe(true);
});
