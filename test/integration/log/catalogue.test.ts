/** The tool catalogue: workers publish, front ends watch. DESIGN §3.9. */
import { TOOL_DEFINITION_VERSION, type ToolDefinition } from '@taskstream/core';
import { CATALOGUE_BUCKET, openToolPublisher, watchToolCatalogue } from '@taskstream/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { nanoid } from 'nanoid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

let nats: TestNats;
let worker: TestStore;
let frontEnd: TestStore;
let bucket: KV;

beforeAll(async () => {
  nats = await startNats();
  worker = await connectStore(nats.url);
  frontEnd = await connectStore(nats.url);
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await frontEnd?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

function tool(name: string, description = 'A tool'): ToolDefinition {
  return {
    v: TOOL_DEFINITION_VERSION,
    name,
    description,
    inputSchema: { type: 'object', properties: {} },
    taskSupport: 'optional',
    queue: 'default',
    ttlMs: 60_000,
    pollIntervalMs: 1_000,
    attemptsMax: 3,
  };
}

async function publish(on: TestStore, ...definitions: ToolDefinition[]): Promise<void> {
  await (await openToolPublisher(on.broker, on.options)).publish(definitions);
}

async function watch(on: TestStore) {
  const invalid: string[] = [];
  const catalogue = await watchToolCatalogue(on.broker, on.options, (name, why) => {
    expect(why).not.toBe('');
    invalid.push(name);
  });
  return { catalogue, invalid };
}

describe('the catalogue', () => {
  it('is empty at first, and can be watched before anybody has published', async () => {
    const { catalogue } = await watch(frontEnd);
    expect(catalogue.list()).toEqual([]);
    const changes: string[][] = [];
    catalogue.onChange(() => void changes.push(catalogue.list().map((t) => t.name)));
    await publish(worker, tool('first'));
    await expect.poll(() => catalogue.get('first')).toEqual(tool('first'));
    expect(changes).toEqual([['first']]);
    catalogue.close();
    bucket = await new Kvm(worker.broker.js).open(CATALOGUE_BUCKET);
  });

  it('holds what was published, with everything that a definition says, sorted by name', async () => {
    const full: ToolDefinition = {
      ...tool('zebra'),
      title: 'Zebra',
      inputSchema: { type: 'object', properties: { n: { type: 'integer', minimum: 0 } }, required: ['n'] },
      outputSchema: { type: 'object' },
      taskSupport: 'required',
      ttlMs: null,
    };
    await publish(worker, full, tool('a.b-c_1'), tool('mule'));
    const { catalogue } = await watch(frontEnd);
    expect(catalogue.list().map((t) => t.name)).toEqual(['a.b-c_1', 'first', 'mule', 'zebra']);
    expect(catalogue.get('zebra')).toEqual(full);
    expect(catalogue.get('unicorn')).toBeUndefined();
    catalogue.close();
  });

  it('shows an update everywhere, and nothing when the same is published again', async () => {
    const watchers = await Promise.all([watch(frontEnd), watch(worker)]);
    const changes = [0, 0];
    watchers.forEach(({ catalogue }, i) => catalogue.onChange(() => changes[i] !== undefined && changes[i]++));
    await publish(worker, tool('first', 'Better'));
    for (const { catalogue } of watchers) {
      await expect.poll(() => catalogue.get('first')?.description).toBe('Better');
    }
    const revision = (await bucket.get('first'))?.revision;
    for (const on of [worker, frontEnd]) await publish(on, tool('first', 'Better'));
    expect((await bucket.get('first'))?.revision).toBe(revision);
    expect(changes).toEqual([1, 1]);
    for (const { catalogue } of watchers) catalogue.close();
  });

  it('no longer tells a listener that has left, nor one of a closed catalogue', async () => {
    const { catalogue } = await watch(frontEnd);
    let told = 0;
    const leave = catalogue.onChange(() => void told++);
    leave();
    catalogue.onChange(() => void told++);
    catalogue.close();
    const other = await watch(worker);
    await publish(worker, tool('first', 'Best'));
    await expect.poll(() => other.catalogue.get('first')?.description).toBe('Best');
    expect(told).toBe(0);
    other.catalogue.close();
  });

  it('keeps its tools while no worker runs', async () => {
    const passing = await connectStore(nats.url);
    await publish(passing, tool('left-behind'));
    await passing[Symbol.asyncDispose]();
    const { catalogue } = await watch(frontEnd);
    expect(catalogue.get('left-behind')).toEqual(tool('left-behind'));
    catalogue.close();
  });

  it('forgets a tool that is taken out', async () => {
    const { catalogue } = await watch(frontEnd);
    await bucket.delete('left-behind');
    await expect.poll(() => catalogue.get('left-behind')).toBeUndefined();
    await publish(worker, tool('left-behind', 'again'));
    await expect.poll(() => catalogue.get('left-behind')?.description).toBe('again');
    catalogue.close();
    const fresh = await watch(worker);
    expect(fresh.catalogue.get('left-behind')?.description).toBe('again');
    fresh.catalogue.close();
  });
});

describe('a definition that is not one', () => {
  it.each([
    ['is no JSON', '{'],
    ['is of a version that this node does not know', JSON.stringify({ ...tool('x'), v: 2 })],
    ['lacks its schema', JSON.stringify({ ...tool('x'), inputSchema: undefined })],
    ['has a schema that is not of an object', JSON.stringify({ ...tool('x'), inputSchema: { type: 'array' } })],
    ['names a queue that no subject can hold', JSON.stringify({ ...tool('x'), queue: 'a.b' })],
    ['has another name than its key', JSON.stringify(tool('first'))],
  ])('because it %s is left out and reported, and the others stay', async (_why, json) => {
    const key = `bad-${nanoid(6)}`;
    const early = await watch(frontEnd);
    const before = early.catalogue.list();
    await bucket.put(key, json);
    await expect.poll(() => early.invalid).toEqual([key]);
    expect(early.catalogue.list()).toEqual(before);
    const late = await watch(worker);
    expect(new Set(late.invalid)).toEqual(new Set([key]));
    expect(late.catalogue.list()).toEqual(before);
    await bucket.delete(key);
    for (const { catalogue } of [early, late]) catalogue.close();
  });

  it('does not push out the good one that it replaces, for those who have seen that', async () => {
    const { catalogue, invalid } = await watch(frontEnd);
    await bucket.put('mule', 'nonsense');
    await expect.poll(() => invalid).toEqual(['mule']);
    expect(catalogue.get('mule')).toEqual(tool('mule'));
    catalogue.close();
  });

  it('is refused by the publisher, with the field', async () => {
    const bad = { ...tool('never'), pollIntervalMs: 0 };
    await expect(publish(worker, bad)).rejects.toThrow(/pollIntervalMs/);
    expect(await bucket.get('never')).toBeNull();
  });
});

describe('a watch', () => {
  it('goes on after its connection was broken, and shows what changed meanwhile', async () => {
    const proxy = await startTcpProxy(nats.url);
    const far = await connectStore(proxy.url);
    const { catalogue } = await watch(far);
    proxy.accept(false);
    proxy.cut();
    await publish(worker, tool('meanwhile'));
    proxy.accept(true);
    await expect.poll(() => catalogue.get('meanwhile'), { timeout: 20_000 }).toEqual(tool('meanwhile'));
    catalogue.close();
    await far[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});
