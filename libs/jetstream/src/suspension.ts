/**
 * Tasks that wait for an answer without an attempt: whether there is one by now, and the item that wakes them.
 *
 * Invariants: who suspends appends, then reads the mailbox, then lets go of its item; who answers writes the mailbox,
 * then reads the tail, then queues an item. Whichever is later sees the other, so no answer is left lying. A queued item
 * beside an old one is refused by the server; whoever holds the old one looks at the mailbox before letting go of it.
 */
import type { Suspension } from '@taskstream/core';
import type { Broker } from './broker.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import type { Mailbox } from './mailbox.js';
import type { StoreOptions } from './options.js';
import type { SpecReads } from './spec-reads.js';
import { latestStatus } from './status-reads.js';
import { sleep } from './waiting.js';
import { publishWorkItem } from './work-queue.js';

interface Parts {
  readonly broker: Broker;
  readonly options: StoreOptions;
  readonly reads: LogReads;
  readonly specs: SpecReads;
  readonly mailbox: Mailbox;
}

/** Undefined when the task is not suspended. @throws TaskstreamError log_unavailable */
export async function readSuspension(parts: Parts, at: TaskAddress): Promise<Suspension | undefined> {
  const tail = await parts.reads.leaderTail(at);
  if (tail === undefined || !tail.pack.suspended) return undefined;
  const status = await latestStatus(parts.reads, at, tail.pack);
  const open = status?.payload.inputRequests ?? {};
  let answered = false;
  await parts.mailbox.read(at, (command) => {
    answered ||= command.type === 'cancel' || (command.type === 'input' && Object.hasOwn(open, command.key));
  });
  return { attempt: tail.pack.attempt, answered };
}

/**
 * Queues an item for a task that is suspended, if it is. Resolves when the item is queued, when the task is suspended no
 * more, or when the old item has been there for so long that it has to come back by itself.
 * @throws TaskstreamError log_unavailable, stream_full
 */
export async function wake(parts: Parts, at: TaskAddress): Promise<void> {
  const deadline = performance.now() + parts.options.wakeRetryMsMax;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 250)) {
    const tail = await parts.reads.leaderTail(at);
    if (tail === undefined || !tail.pack.suspended) return;
    const spec = await parts.specs.read(at);
    if (spec === undefined || (await publishWorkItem(parts.broker, parts.options, spec))) return;
    if (performance.now() > deadline) return;
    await sleep(waitMs);
  }
}
