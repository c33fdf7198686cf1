/**
 * What a release has stored in NATS, as files: one a stream, one line a message, in the stream's order.
 *
 * Invariants: a message keeps its stream sequence, because headers refer to sequences; nothing here knows a stored
 * format, so that a change of one cannot hide.
 */
import type { Broker } from '@taskstream/jetstream';
import type { StreamConfig } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
export const RECOVERY_TOOLS = fileURLToPath(new URL('./tools.mjs', import.meta.url));

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: string;
}

export interface StoredStream {
  readonly config: Partial<StreamConfig> & { readonly name: string };
  readonly messages: ReadonlyArray<StoredMessage>;
}

export async function dumpStream(broker: Broker, name: string): Promise<StoredStream> {
  const { config, state } = await broker.jsm.streams.info(name);
  const messages: StoredMessage[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const m = await broker.jsm.streams.getMessage(name, { seq }).catch(() => null);
    if (m === null) continue;
    const pairs = [...m.header].map(([key, values]) => [key, values[0] ?? ''] as const);
    // What the server or the client adds for itself is no part of the stored format.
    const own = pairs.filter(([key]) => !key.startsWith('Nats-'));
    messages.push({ seq, subject: m.subject, headers: Object.fromEntries(own), data: m.string() });
  }
  const metadata = Object.fromEntries(
    Object.entries(config.metadata ?? {}).filter(([key]) => !key.startsWith('_nats.')),
  );
  return { config: { ...config, metadata }, messages };
}

export async function saveStream(directory: string, stream: StoredStream): Promise<void> {
  await mkdir(directory, { recursive: true });
  const lines = [stream.config, ...stream.messages].map((part) => `${JSON.stringify(part)}\n`);
  await writeFile(join(directory, `${stream.config.name}.ndjson`), lines.join(''));
}

/** Every stream of a recorded release. */
export async function readRelease(version: string): Promise<StoredStream[]> {
  const directory = join(FIXTURES, version);
  const files = (await readdir(directory)).filter((file) => file.endsWith('.ndjson'));
  return Promise.all(
    files.toSorted().map(async (file) => {
      const [config, ...messages] = (await readFile(join(directory, file), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      return { config, messages } as StoredStream;
    }),
  );
}

/** The ids of the recorded tasks, by what they were when they were recorded. */
export async function readTaskIds(version: string): Promise<Readonly<Record<string, string>>> {
  return JSON.parse(await readFile(join(FIXTURES, version, 'tasks.json'), 'utf8')) as Record<string, string>;
}

/** Makes the stream and puts each message at its own sequence. */
export async function loadStream(broker: Broker, { config, messages }: StoredStream): Promise<void> {
  await broker.jsm.streams.add(config);
  const [pattern = ''] = config.subjects ?? [];
  let next = 1;
  for (const m of messages) {
    for (; next < m.seq; next++) {
      // Something stood here that was removed.
      await broker.js.publish(pattern.replaceAll(/[*>]/g, `gap${next}`), '');
      await broker.jsm.streams.deleteMessage(config.name, next, false);
    }
    const h = headers();
    for (const [key, value] of Object.entries(m.headers)) h.set(key, value);
    const ack = await broker.js.publish(m.subject, m.data, { headers: h });
    if (ack.seq !== m.seq) throw new Error(`${config.name}: message ${m.seq} landed at ${ack.seq}`);
    next++;
  }
}
