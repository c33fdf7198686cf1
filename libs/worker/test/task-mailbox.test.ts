/** What a tool sees of its mailbox: every steer once and in order, the pause as it stands, and the end of the wait. */
import { NOTHING_TAKEN, type EventDraft, type MailboxCommand, type Taken } from '@taskstream/core';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RunningMailbox, type SteerMessage } from '../src/task-mailbox.js';

function scene({ taken = NOTHING_TAKEN, steerable = true }: { taken?: Taken; steerable?: boolean } = {}) {
  const abort = new AbortController();
  const told: Array<{ event: EventDraft; taken: Taken }> = [];
  const mailbox = new RunningMailbox({
    tool: 'tool',
    steerable,
    taken,
    signal: abort.signal,
    tell: (event, now) => void told.push({ event, taken: now }),
  });
  let number = 0;
  const take = (command: MailboxCommand) => mailbox.take(command, { number: ++number, sentAt: `at ${number}` });
  const steer = (message: string) => take({ type: 'steer', message });
  return { mailbox, told, abort, take, steer };
}

async function collect(messages: AsyncIterable<SteerMessage>, into: string[]): Promise<void> {
  for await (const { number, message } of messages) into.push(`${number} ${message}`);
}

describe('steers', () => {
  it('are given to every iteration and every listener from the first one on', async () => {
    const { mailbox, steer, abort } = scene();
    steer('one');
    const heard: string[] = [];
    const stop = mailbox.onSteer(({ message }) => void heard.push(message));
    const early: string[] = [];
    const late: string[] = [];
    const reading = collect(mailbox.steer(), early);
    steer('two');
    await turn();
    stop();
    const readingLate = collect(mailbox.steer(), late);
    steer('three');
    await turn();
    abort.abort(new Error('over'));
    await Promise.all([reading, readingLate]);
    expect(early).toEqual(['1 one', '2 two', '3 three']);
    expect(late).toEqual(early);
    expect(heard).toEqual(['one', 'two']);
  });

  it('of an earlier attempt come again, but are not told again', () => {
    const { mailbox, told, steer } = scene({ taken: { entry: 1, paused: false } });
    const heard: number[] = [];
    mailbox.onSteer(({ number }) => void heard.push(number));
    steer('one');
    steer('two');
    expect(heard).toEqual([1, 2]);
    expect(told.map(({ event, taken }) => [event.payload['message'], taken.entry])).toEqual([['two', 2]]);
  });

  it('end their iteration when the attempt is told to stop, also while it waits', async () => {
    const { mailbox, abort } = scene();
    const got: string[] = [];
    const reading = collect(mailbox.steer(), got);
    await turn();
    abort.abort(new Error('cancelled'));
    await reading;
    await collect(mailbox.steer(), got);
    expect(got).toEqual([]);
  });

  it('are an error of the author where they were not declared', () => {
    const { mailbox } = scene({ steerable: false });
    expect(() => mailbox.steer()).toThrow('steerable: true');
    expect(() => mailbox.onSteer(() => undefined)).toThrow('steerable: true');
  });
});

describe('a pause', () => {
  it('holds until the resume, for everybody who waits', async () => {
    const { mailbox, take } = scene();
    await mailbox.whenResumed();
    take({ type: 'pause' });
    expect(mailbox.paused).toBe(true);
    let resumed = 0;
    const waits = [mailbox.whenResumed(), mailbox.whenResumed()].map((wait) => wait.then(() => resumed++));
    take({ type: 'steer', message: 'go on soon' });
    await turn();
    expect(resumed).toBe(0);
    take({ type: 'resume' });
    await Promise.all(waits);
    expect(mailbox.paused).toBe(false);
  });

  it('of an earlier attempt holds, whatever came before it', async () => {
    const { mailbox, take, told } = scene({ taken: { entry: 3, paused: true } });
    take({ type: 'pause' });
    take({ type: 'resume' });
    take({ type: 'pause' });
    expect(mailbox.paused).toBe(true);
    expect(told).toEqual([]);
    const wait = mailbox.whenResumed();
    take({ type: 'resume' });
    await wait;
    expect(told).toMatchObject([{ event: { type: 'dev.taskstream.task.resumed' }, taken: { entry: 4 } }]);
  });

  it('ends with the attempt', async () => {
    const { mailbox, take, abort } = scene();
    take({ type: 'pause' });
    const wait = mailbox.whenResumed();
    abort.abort(new Error('cancelled'));
    await expect(wait).rejects.toThrow('cancelled');
    await expect(mailbox.whenResumed()).rejects.toThrow('cancelled');
  });
});
