/**
 * Our client against the small server and its faults: what SEP-2694 asks of clients, over the wire.
 */
import { createTaskClient, isClientError, type Notice } from '@taskstream/client';
import { describe, expect, it } from 'vitest';
import { startSmallServer, type Fault } from './wrong-servers.js';

const EVENTS = 20;

/** Runs a tool on a server with that fault and follows it to its end. */
async function follow(fault: Fault | undefined, everyMs: number) {
  await using server = await startSmallServer(fault);
  const notices: Notice[] = [];
  const client = createTaskClient({
    endpoints: [server.url],
    limits: { attemptsMax: 5, backoffBaseMs: 10, backoffMaxMs: 20 },
    onNotice: (notice) => notices.push(notice),
  });
  const handle = await client.callTool('count', { n: EVENTS, everyMs });
  const seqs: number[] = [];
  for await (const item of handle.events()) if (item.type === 'event') seqs.push(item.event.seq);
  return { seqs, notices };
}

/** The status, the counted ones, the status. */
const ALL = Array.from({ length: EVENTS + 2 }, (_, i) => i);

describe('the client', () => {
  it('reads everything from a server that is right', async () => {
    expect((await follow(undefined, 5)).seqs).toEqual(ALL);
  });

  it('takes its cursor from the stream alone, whatever else it is sent: SEP2694-CLIENT-TRUSTS-STREAM-ONLY', async () => {
    // The stray event has seq 0: a client that believed it would not ask for that one.
    expect((await follow('sends events with tools/call', 5)).seqs).toEqual(ALL);
  });

  it.each(['repeats an event', 'takes the cursor as inclusive'] as const)(
    'is not harmed by a server that %s: SEP2694-CLIENT-TAKES-DUPLICATES',
    async (fault) => {
      for (const everyMs of [0, 5]) expect((await follow(fault, everyMs)).seqs).toEqual(ALL);
    },
  );

  it('resumes when a live stream ends without a result, and misses nothing: SEP2694-CLIENT-RESUMES-THERE', async () => {
    expect((await follow('ends a live stream without a result', 5)).seqs).toEqual(ALL);
  });

  it('closes an event that a server skipped at the hand-off by asking again', async () => {
    const { seqs, notices } = await follow('skips an event at the live hand-off', 5);
    expect(seqs).toEqual(ALL);
    expect(notices.length).toBeGreaterThan(0);
  });

  it('never goes past an event that a server leaves out for good', async () => {
    const failure = await follow('drops an event', 0).catch((error: unknown) => error);
    expect(isClientError(failure) && failure.code).toBe('sequence_gap');
  });
});
