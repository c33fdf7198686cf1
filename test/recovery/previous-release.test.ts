/**
 * What an earlier release has stored, and what the next minor may add to it: today's code reads, streams, cancels,
 * resumes and finishes it. docs/recovery.md §Upgrade.
 */
import { watchToolCatalogue } from '@taskstream/jetstream';
import type { TaskEvent } from '@taskstream/protocol';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { startWorker, stopAll, type TestProcess } from '../support/system.js';
import { readTask, storedLines } from '../support/task-logs.js';
import {
  FIXTURES,
  loadStream,
  readRelease,
  readTaskIds,
  RECOVERY_TOOLS,
  type StoredMessage,
  type StoredStream,
} from './stored-release.js';

const LEASE_MS = 1_500;
const UNKNOWN_MEMBER = 'com.example/unknown';

/** What a later minor may do without another format version: one more header, one more member in each JSON object. */
function extended(stream: StoredStream): StoredStream {
  const more = (text: string): string => {
    if (!text.startsWith('{')) return text;
    return JSON.stringify({ ...(JSON.parse(text) as object), [UNKNOWN_MEMBER]: { deep: [1] } });
  };
  const message = (m: StoredMessage): StoredMessage => {
    // Events go to clients as they are, and the second line of a state is the tool's own.
    const lines = m.data.split('\n');
    const data = m.subject.startsWith('evt.') ? m.data : [more(lines[0] ?? ''), ...lines.slice(1)].join('\n');
    const isOurs = Object.keys(m.headers).length > 0;
    return { ...m, data, headers: isOurs ? { ...m.headers, 'Ts-Unknown': 'x' } : m.headers };
  };
  return { ...stream, messages: stream.messages.map(message) };
}

const RELEASES = readdirSync(FIXTURES).flatMap((version) => [
  { version, what: 'as it was', change: (stream: StoredStream) => stream },
  { version, what: 'with members that nobody knows', change: extended },
]);

describe.each(RELEASES)('the streams of release $version, $what', ({ version, change }) => {
  let nats: TestNats;
  let on: TestStore;
  let streams: StoredStream[];
  let id: (what: string) => string;
  const workers: TestProcess[] = [];

  /** The log as it was recorded, read without any code of ours. */
  const recorded = (what: string): string[] =>
    streams
      .flatMap((s) => s.messages)
      .filter((m) => m.subject.startsWith('evt.') && m.subject.endsWith(`.${id(what)}`))
      .flatMap((m) => m.data.split('\n').slice(0, -1));

  /** Reads a task to its end. What was recorded is its beginning; nothing is missing, nothing is there twice. */
  async function finished(what: string) {
    const { lines, end } = await readTask(on, id(what));
    expect(lines.slice(0, recorded(what).length)).toEqual(recorded(what));
    expect(lines).toEqual(await storedLines(on, id(what)));
    const events = lines.map((line) => JSON.parse(line) as TaskEvent);
    const last = events.at(-1)?.payload as { result?: Record<string, unknown> } | undefined;
    const structured = (last?.result?.['structuredContent'] ?? {}) as Record<string, unknown>;
    return { status: end.type === 'end' ? end.status : end.type, structured };
  }

  beforeAll(async () => {
    streams = (await readRelease(version)).map(change);
    const ids = await readTaskIds(version);
    id = (what) => ids[what] ?? `no task is recorded as ${what}`;
    nats = await startNats();
    const options = { retentionClasses: [{ name: 'p', ttlMsMax: null }] };
    await using empty = await connectStore(nats.url, { ...options, retentionClasses: [] });
    // Only the work stream was made; the recorded one takes its place.
    await empty.broker.jsm.streams.delete('WORK');
    for (const stream of streams) await loadStream(empty.broker, stream);
    on = await connectStore(nats.url, options);
  });

  afterAll(async () => {
    await stopAll(workers, 'SIGKILL');
    await on?.[Symbol.asyncDispose]();
    await nats?.[Symbol.asyncDispose]();
  });

  it('are taken as they are: nothing of them is changed or refused', async () => {
    for (const { config } of streams) {
      const info = await on.broker.jsm.streams.info(config.name);
      expect(info.config.subjects).toEqual(config.subjects);
      expect(info.config.metadata).toMatchObject(config.metadata ?? {});
    }
  });

  it('give each log to the letter, from its beginning and from every cursor', async () => {
    for (const what of ['completed', 'retried', 'failed', 'cancelled']) {
      const lines = recorded(what);
      expect(lines.length).toBeGreaterThan(1);
      for (let after = -1; after < lines.length; after++) {
        const read = await readTask(on, id(what), after < 0 ? undefined : after);
        expect(read.lines).toEqual(lines.slice(after + 1));
      }
    }
  });

  it('give each status', async () => {
    const status = async (what: string) => (await on.store.tasks.read(id(what)))?.status.status;
    expect(await status('completed')).toBe('completed');
    expect(await status('failed')).toBe('failed');
    expect(await status('cancelled')).toBe('cancelled');
    expect(await status('suspended')).toBe('input_required');
    expect(await status('queued')).toBe('working');
    expect(await on.store.tasks.read(id('paused'))).toMatchObject({ paused: true, spec: { tool: 'count' } });
  });

  it('list every recorded tool', async () => {
    const invalid: string[] = [];
    const catalogue = await watchToolCatalogue(on.broker, on.options, (tool) => void invalid.push(tool));
    const names = streams
      .find((s) => s.config.name.startsWith('KV_'))
      ?.messages.map((m) => m.subject.split('.').at(-1));
    expect(names?.length).toBeGreaterThan(10);
    expect(catalogue.list().map((tool) => tool.name)).toEqual(names?.toSorted());
    expect(invalid).toEqual([]);
    catalogue.close();
  });

  it('take a cancel of what waits, and a removal of what is over', async () => {
    await on.store.tasks.cancel(id('unwanted'));
    expect((await finished('unwanted')).status).toBe('cancelled');
    await on.store.tasks.delete(id('failed'));
    expect(await on.store.tasks.read(id('failed'))).toBeUndefined();
  });

  it('are finished by a worker of today, each from where it was', async () => {
    workers.push(
      await startWorker(nats.url, {
        TASKSTREAM_LEASE_MS: String(LEASE_MS),
        TASKSTREAM_TOOLS: RECOVERY_TOOLS,
        TASKSTREAM_RETENTION_CLASSES: 'p:',
      }),
    );
    await on.store.tasks.send(id('paused'), { type: 'resume' });
    const open = Object.keys((await on.store.tasks.read(id('suspended')))?.status.inputRequests ?? {});
    expect(open).toHaveLength(1);
    const response = { action: 'accept', content: { text: 'blue' } };
    await on.store.tasks.send(id('suspended'), { type: 'input', key: open[0] ?? '', response });

    expect(await finished('queued')).toMatchObject({ status: 'completed' });
    expect(await finished('paused')).toMatchObject({ status: 'completed' });
    expect(await finished('told')).toMatchObject({ status: 'completed' });
    const asked = await finished('suspended');
    expect(asked).toMatchObject({ status: 'completed', structured: { texts: ['blue'] } });
    const batch = await finished('checkpointed');
    expect(batch.status).toBe('completed');
    // It began where the recorded checkpoint says, not at 0.
    expect(batch.structured['from']).toBeGreaterThan(3);
    const steps = await finished('stepping');
    expect(steps.status).toBe('completed');
    const results = steps.structured['results'] as string[];
    expect(results[0]).toBe('0 by 1');
    expect(results.at(-1)).toBe('4 by 2');
    // No item is left: all of them were understood.
    const items = async () => (await on.broker.jsm.streams.info('WORK')).state.messages;
    await expect.poll(items, { timeout: 20_000 }).toBe(0);
  });
});
