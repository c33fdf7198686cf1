/** A short run of the chaos on workers, and its judge on logs that are wrong. The long one: `npm run chaos:workers`. */
import { EVENT_META_KEY, RELATED_TASK_META_KEY, SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { describe, expect, it } from 'vitest';
import { judge } from './checks.js';
import { randomOf } from './faults.js';
import { parseJournal, type JournalLine } from './journal.js';
import { playScene } from './scene.js';
import { judgeWaits } from './wait-checks.js';
import { playWait } from './wait-scene.js';

const SHORT = { nodes: 1, seed: 11, workers: 2, leaseMs: 1_000, settleMsMax: 60_000 } as const;

describe('workers that are broken while they work lose nothing', () => {
  // A task takes longer than the time to the first fault, however fast the machine is.
  it.each([
    { fault: 'kill', everyMs: 500, strikeMs: 1_200 },
    { fault: 'stop', everyMs: 400, strikeMs: 500 },
    { fault: 'nats', everyMs: 500, strikeMs: 600 },
    { fault: 'scale', everyMs: 300, strikeMs: 400 },
  ] as const)('by $fault', { timeout: 120_000 }, async (scene) => {
    const result = await playScene({ ...SHORT, ...scene, tasks: 6, steps: 4, stepMs: 300 });
    expect(result.faults).toEqual([]);
    expect(result).toMatchObject({ tasks: 6, completed: 6 });
    expect(result.hits).toBeGreaterThan(0);
  });
});

it(
  'tasks that wait hold no slot; answers in any order at any front end wake each once',
  { timeout: 120_000 },
  async () => {
    // Nothing is killed: no lease may run out on a machine that is busy.
    const waits = { leaseMs: 10_000, slots: 2, frontEnds: 2, tasks: 24, passing: 4, kills: 0 };
    const result = await playWait({ ...SHORT, ...waits });
    expect(result.faults).toEqual([]);
    expect(result).toMatchObject({ tasks: 24, completed: 24, attempts: 48 });
  },
);

const taskId = 'd0-AAAAAAAAAAAAAAAAAAAAAA';
const event = (type: string, attempt: number, payload: Record<string, unknown>, seq: number): TaskEvent => ({
  taskId,
  seq,
  type,
  payload,
  _meta: { [RELATED_TASK_META_KEY]: { taskId }, [EVENT_META_KEY]: { at: '', attempt, worker: 'w' } },
});
type Row = [type: string, attempt: number, payload: Record<string, unknown>];
const log = (...rows: Row[]) => [
  { taskId, events: rows.map(([type, attempt, payload], seq) => event(type, attempt, payload, seq)) },
];

const line = (what: JournalLine['what'], attempt: number, step: number, value: string): JournalLine => ({
  what,
  taskId,
  attempt,
  step,
  value,
});

describe('the judge', () => {
  const STEP = 'com.example.chaos.step';
  const good: Row[] = [
    [SystemEvent.attemptStarted, 1, { attempt: 1 }],
    [STEP, 1, { step: 0, value: 'a' }],
    [SystemEvent.attemptStarted, 2, { attempt: 2 }],
    [STEP, 2, { step: 0, value: 'a' }],
    [STEP, 2, { step: 1, value: 'b' }],
    [SystemEvent.taskStatus, 2, { status: 'completed' }],
  ];
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
    ['a result that an attempt saw alone', log(...good), [...journal, line('saw', 2, 0, 'c')], /attempt 2 saw another/],
    ['a step that ran twice in an attempt', log(...good), [...journal, line('ran', 2, 1, 'b')], /ran a step twice/],
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

describe('the judge of waits', () => {
  const QUESTION = { status: 'input_required', inputRequests: { 'text-1': {} } };
  const done = (text: string) => ({ status: 'completed', result: { structuredContent: { text } } });
  const good: Row[] = [
    [SystemEvent.attemptStarted, 1, { cause: 'first' }],
    [SystemEvent.taskStatus, 1, QUESTION],
    [SystemEvent.attemptEnded, 1, { reason: 'suspended' }],
    [SystemEvent.attemptStarted, 2, { cause: 'woken' }],
    [SystemEvent.taskStatus, 2, done('mine')],
  ];
  const journal = [line('answered', 2, 0, 'mine')];
  const judged = (rows: Row[], lines: JournalLine[] = journal, killedMax = 0) =>
    judgeWaits(log(...rows), lines, { answers: new Map([[taskId, 'mine']]), killedMax });
  const killed = good.toSpliced(4, 0, [SystemEvent.attemptStarted, 3, { cause: 'lease_lost' }]);

  it('finds nothing wrong with what is right, nor with as many takeovers as were killed', () => {
    expect(judged(good)).toEqual({ tasks: 1, completed: 1, events: 5, attempts: 2, stepsAgain: 0, faults: [] });
    expect(judged(killed, [...journal, line('answered', 3, 0, 'mine')], 1).faults).toEqual([]);
  });

  it.each([
    ['nothing at all', judgeWaits([], [], { answers: new Map(), killedMax: 0 }), /nothing was checked/],
    ['a task that goes on waiting', judged(good.slice(0, 3)), /ended with .*suspended/],
    ['the answer of another task', judged(good.with(4, [SystemEvent.taskStatus, 2, done('x')])), /is not its answer/],
    [
      'a second wake',
      judged(good.toSpliced(4, 0, [SystemEvent.attemptStarted, 3, { cause: 'woken' }])),
      /woken, woken/,
    ],
    ['a task that was never suspended', judged(good.toSpliced(2, 1)), /suspended 0 times/],
    [
      'a question that was asked anew',
      judged(good.with(1, [SystemEvent.taskStatus, 1, { inputRequests: { a: {}, b: {} } }])),
      /asked 2 questions/,
    ],
    ['a tool without an answer', judged(good, [line('ran', 2, 0, 'mine')]), /was not given an answer/],
    ['a tool with two', judged(good, [...journal, ...journal]), /answer twice/],
    ['a tool with another', judged(good, [line('answered', 2, 0, 'x')]), /given another answer/],
    ['an answer that came too early', judged(good, [line('answered', 1, 0, 'mine')]), /before it was woken/],
    ['a takeover without a kill', judged(killed), /1 attempts were taken over, no more than 0/],
  ] as const)('finds %s', (_what, { faults }, fault) => {
    expect(faults.join('\n')).toMatch(fault);
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
