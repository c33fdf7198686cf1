/** What becomes of a mailbox entry that is taken: one event at most, whoever takes it and however often. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventDraft, MailboxCommand, Taken } from '../src/ports.js';
import { NOTHING_TAKEN, takeCommand } from '../src/taking.js';

const entry = (number: number) => ({ number, sentAt: '2026-01-01T00:00:00.000Z' });

const command: fc.Arbitrary<MailboxCommand> = fc.oneof(
  fc.record({ type: fc.constant('steer' as const), message: fc.string() }),
  fc.constant({ type: 'pause' as const }),
  fc.constant({ type: 'resume' as const }),
  fc.constant({ type: 'cancel' as const }),
  fc.record({ type: fc.constant('input' as const), key: fc.string(), response: fc.constant({}) }),
);

/** Takes a mailbox from its first entry on, as an attempt does. */
function takeAll(mailbox: readonly MailboxCommand[], from: Taken): { events: EventDraft[]; taken: Taken } {
  let taken = from;
  const events: EventDraft[] = [];
  mailbox.forEach((c, i) => {
    const step = takeCommand(taken, c, entry(i + 1));
    if (step === undefined) return;
    taken = step.taken;
    events.push(step.event);
  });
  return { events, taken };
}

describe('taking a mailbox', () => {
  it('tells of steers, and of pauses and resumes that change something', () => {
    const { events, taken } = takeAll(
      [
        { type: 'resume' },
        { type: 'steer', message: 'left', data: { by: 2 } },
        { type: 'cancel' },
        { type: 'pause' },
        { type: 'pause' },
        { type: 'input', key: 'k', response: 1 },
        { type: 'resume' },
      ],
      NOTHING_TAKEN,
    );
    const { sentAt } = entry(1);
    expect(events).toEqual([
      { type: 'dev.taskstream.task.steered', payload: { entry: 2, sentAt, message: 'left', data: { by: 2 } } },
      { type: 'dev.taskstream.task.paused', payload: { entry: 4, sentAt } },
      { type: 'dev.taskstream.task.resumed', payload: { entry: 7, sentAt } },
    ]);
    expect(taken).toEqual({ entry: 7, paused: false });
  });

  it('by many attempts, each from the first entry on, tells the same as by one', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.array(fc.nat(30)), (mailbox, lengths) => {
        const once = takeAll(mailbox, NOTHING_TAKEN);
        const events: EventDraft[] = [];
        let taken = NOTHING_TAKEN;
        // Each attempt sees what was there when it ended, at least as much as the one before.
        for (const length of [...lengths.toSorted((a, b) => a - b), mailbox.length]) {
          const step = takeAll(mailbox.slice(0, length), taken);
          events.push(...step.events);
          taken = step.taken;
        }
        expect(events).toEqual(once.events);
        expect(taken).toEqual(once.taken);
      }),
    );
  });
});
