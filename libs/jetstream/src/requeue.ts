/**
 * Queues the tasks that should have a work item and have none: what a restore leaves behind when the work stream is
 * older than the logs, or was not restored at all.
 *
 * Invariants: the log decides; nothing is appended; an item that is there is never doubled, because the server refuses
 * a second one; a task that waits for an answer stays as it is.
 */
import { parseTaskId } from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';
import { addressOf, type TaskAddress } from './log-reads.js';
import { evtSubject, LAYOUT_METADATA_KEY } from './names.js';
import { readSuspension } from './suspension.js';
import type { StoreParts } from './task-store.js';
import { whileUnavailable } from './waiting.js';
import { publishWorkItem } from './work-queue.js';

/** Tasks that are looked at at a time. */
const LOOKS_MAX = 32;
const STREAM_NAME = /^TASKS_([a-z]+)_(\d+)$/;

export interface RequeueReport {
  readonly checked: number;
  readonly queued: number;
}

/**
 * Looks at every task of every `TASKS_…` stream. One read a task: meant for after a restore, not for every day.
 * @throws TaskstreamError log_unavailable, stream_full, format_unknown
 */
export async function requeueMissing(parts: StoreParts): Promise<RequeueReport> {
  let checked = 0;
  let queued = 0;
  for (const stream of await taskStreams(parts)) {
    const taskIds = await tasksOf(parts, stream);
    for (let from = 0; from < taskIds.length; from += LOOKS_MAX) {
      const looks = taskIds.slice(from, from + LOOKS_MAX).map((taskId) => requeue(parts, addressOf(taskId)));
      for (const done of await Promise.all(looks)) if (done) queued++;
    }
    checked += taskIds.length;
  }
  return { checked, queued };
}

async function requeue(parts: StoreParts, at: TaskAddress): Promise<boolean> {
  const tail = await parts.reads.leaderTail(at);
  if (tail === undefined || isTerminal(tail.pack.status)) return false;
  const spec = await parts.specs.read(at);
  if (spec === undefined) return false;
  if (tail.pack.suspended && (await readSuspension(parts, at))?.answered !== true) return false;
  return publishWorkItem(parts.broker, parts.options, spec);
}

async function taskStreams({ broker, options }: StoreParts): Promise<string[]> {
  return whileUnavailable('listing the streams', options.readRetryMsMax, async () => {
    const names: string[] = [];
    for await (const { config } of broker.jsm.streams.list()) {
      if (STREAM_NAME.test(config.name) && config.metadata?.[LAYOUT_METADATA_KEY] !== undefined)
        names.push(config.name);
    }
    return names;
  });
}

async function tasksOf({ broker, options }: StoreParts, stream: string): Promise<string[]> {
  const [, retentionClass = '', shard = ''] = STREAM_NAME.exec(stream) ?? [];
  const filter = evtSubject({ retentionClass, shard: Number(shard) }, '*');
  const info = await whileUnavailable(`listing the tasks of ${stream}`, options.readRetryMsMax, () =>
    broker.jsm.streams.info(stream, { subjects_filter: filter }),
  );
  return Object.keys(info.state.subjects ?? {})
    .map((subject) => subject.slice(subject.lastIndexOf('.') + 1))
    .filter((taskId) => parseTaskId(taskId) !== undefined);
}
