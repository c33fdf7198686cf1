/**
 * The tool catalogue: a bucket of tool definitions, written by workers, watched by front ends.
 *
 * Invariants: a definition that does not parse is left out and reported, never served; tools stay listed while no
 * worker runs.
 */
import { ToolDefinition, type ToolCatalogue, type ToolPublisher } from '@taskstream/core';
import { Kvm, type KV } from '@nats-io/kv';
import type { Broker } from './broker.js';
import { CATALOGUE_BUCKET } from './names.js';
import type { StoreOptions } from './options.js';
import { whileUnavailable } from './waiting.js';

async function openBucket(broker: Broker, options: StoreOptions): Promise<KV> {
  return whileUnavailable('opening the tool catalogue', options.readRetryMsMax, async () => {
    const bucket = await new Kvm(broker.js).create(CATALOGUE_BUCKET, { history: 1, replicas: options.replicas });
    const { replicas, streamInfo } = await bucket.status();
    if (replicas < options.replicas) {
      await broker.jsm.streams.update(streamInfo.config.name, { num_replicas: options.replicas });
    }
    return bucket;
  });
}

export async function openToolPublisher(broker: Broker, options: StoreOptions): Promise<ToolPublisher> {
  const bucket = await openBucket(broker, options);
  return {
    async publish(definitions) {
      for (const definition of definitions) {
        const json = JSON.stringify(ToolDefinition.parse(definition));
        await whileUnavailable(`publishing the tool ${definition.name}`, options.publishRetryMsMax, async () => {
          const there = await bucket.get(definition.name);
          if (there === null || there.operation !== 'PUT' || there.string() !== json)
            await bucket.put(definition.name, json);
        });
      }
    },
  };
}

/** A catalogue that follows the bucket until `close`. Resolves when what was there has been read. */
export async function watchToolCatalogue(
  broker: Broker,
  options: StoreOptions,
  onInvalid: (tool: string, why: string) => void,
): Promise<ToolCatalogue & { close(): void }> {
  const bucket = await openBucket(broker, options);
  const tools = new Map<string, ToolDefinition>();
  const listeners = new Set<() => void>();
  const revisions = new Map<string, number>();
  const apply = (entry: { key: string; revision: number; operation: string; string(): string }) => {
    // A replica that lags may read an older definition than the watch has brought.
    if (entry.revision <= (revisions.get(entry.key) ?? 0)) return;
    revisions.set(entry.key, entry.revision);
    if (entry.operation !== 'PUT') {
      tools.delete(entry.key);
      return;
    }
    try {
      const parsed = ToolDefinition.safeParse(JSON.parse(entry.string()));
      if (!parsed.success) onInvalid(entry.key, parsed.error.message);
      else if (parsed.data.name !== entry.key) onInvalid(entry.key, `name: it defines ${parsed.data.name}`);
      else tools.set(entry.key, parsed.data);
    } catch (error) {
      onInvalid(entry.key, error instanceof Error ? error.message : String(error));
    }
  };
  const watch = await whileUnavailable('reading the tool catalogue', options.readRetryMsMax, async () => {
    const begun = await bucket.watch();
    void (async () => {
      for await (const entry of begun) {
        apply(entry);
        for (const listener of listeners) listener();
      }
    })();
    try {
      // A watch of an empty bucket says nothing; the keys tell whether there is something to wait for.
      for await (const key of await bucket.keys()) {
        const entry = await bucket.get(key);
        if (entry !== null) apply(entry);
      }
      return begun;
    } catch (error) {
      begun.stop();
      throw error;
    }
  });
  return {
    list: () => [...tools.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    get: (name) => tools.get(name),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      watch.stop();
      listeners.clear();
    },
  };
}
