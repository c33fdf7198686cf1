/**
 * Backup and restore of one stream through JetStream's snapshot API, which is what `nats stream backup` and
 * `nats stream restore` use.
 */
import type { Broker } from '@taskstream/jetstream';
import { createInbox } from '@nats-io/transport-node';

const ANSWER_MS_MAX = 20_000;
const CHUNK_BYTES = 64 * 1024;

export interface Snapshot {
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly state: unknown;
  readonly chunks: ReadonlyArray<Uint8Array>;
}

interface ApiAnswer {
  readonly error?: { readonly description: string };
  readonly config?: Snapshot['config'];
  readonly state?: unknown;
  readonly deliver_subject?: string;
}

function answerOf(json: unknown): ApiAnswer {
  const answer = json as ApiAnswer;
  if (answer.error !== undefined) throw new Error(answer.error.description);
  return answer;
}

/** The stream with its consumers, as it is now. */
export async function backUp({ nc }: Broker, stream: string): Promise<Snapshot> {
  const inbox = createInbox();
  const chunks: Uint8Array[] = [];
  const sub = nc.subscribe(inbox);
  const request = JSON.stringify({ deliver_subject: inbox, chunk_size: CHUNK_BYTES });
  const answer = await nc.request(`$JS.API.STREAM.SNAPSHOT.${stream}`, request, { timeout: ANSWER_MS_MAX });
  const { config, state } = answerOf(answer.json());
  for await (const m of sub) {
    // The last one is empty. Each is answered, so that the server sends the next.
    if (m.data.byteLength === 0) break;
    chunks.push(m.data.slice());
    m.respond();
  }
  if (config === undefined) throw new Error(`the snapshot of ${stream} has no configuration`);
  return { config, state, chunks };
}

/** Makes the stream anew. It must not exist. */
export async function restore({ nc }: Broker, { config, state, chunks }: Snapshot): Promise<void> {
  const options = { timeout: ANSWER_MS_MAX };
  const request = JSON.stringify({ config, state });
  const answer = await nc.request(`$JS.API.STREAM.RESTORE.${config.name}`, request, options);
  const { deliver_subject: target } = answerOf(answer.json());
  if (target === undefined) throw new Error(`the restore of ${config.name} says not where to send`);
  for (const chunk of chunks) await nc.request(target, chunk, options);
  answerOf((await nc.request(target, '', options)).json());
}
