/** Provisioning: as often as one likes, by as many nodes as one likes, and never at the cost of data. DESIGN §3.2. */
import { provision, StoreOptions, WORK_STREAM, type ProvisionReport } from '@taskstream/jetstream';
import type { StreamConfig } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { emitSteps, runningTask, storedLines } from '../../support/task-logs.js';

let nats: TestNats;
let on: TestStore;
let names = 0;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

/** Options with one class of its own, so that a test has a stream of its own. */
function optionsWith(overrides: Partial<StoreOptions> = {}): { options: StoreOptions; stream: string; name: string } {
  const letter = (n: number) => String.fromCharCode('a'.charCodeAt(0) + n);
  const name = `x${letter(Math.floor(names / 26))}${letter(names++ % 26)}`;
  const retentionClasses = [{ name, ttlMsMax: 3_600_000 }];
  const streamBytesMax = 1024 * 1024;
  return {
    options: { ...StoreOptions.parse({}), streamBytesMax, retentionClasses, ...overrides },
    stream: `TASKS_${name}_0`,
    name,
  };
}

const configOf = async (stream: string): Promise<StreamConfig> => (await on.broker.jsm.streams.info(stream)).config;

/** What provisioning answers: its report, or what it refuses. */
async function refusalOf(options: StoreOptions): Promise<{ code: string; message: string; details: object }> {
  return provision(on.broker, options).then(
    () => Promise.reject(new Error('not refused')),
    (error: unknown) => error as { code: string; message: string; details: object },
  );
}

describe('streams', () => {
  it('are made as they are configured', async () => {
    const { options, stream } = optionsWith({ retentionSlackMs: 60_000, packsPerTaskMax: 500, shards: 2 });
    const report = await provision(on.broker, options);
    expect(report).toEqual({ created: [stream, stream.replace(/0$/, '1')], raised: [], kept: [] });
    const place = stream.replace('TASKS_', '').replace('_', '.');
    expect(await configOf(stream)).toMatchObject({
      subjects: [`evt.${place}.*`, `spec.${place}.*`, `cmd.${place}.*`, `state.${place}.*.*`],
      retention: 'limits',
      storage: 'file',
      discard: 'new',
      compression: 's2',
      num_replicas: 1,
      max_age: 3_660_000 * 1e6,
      max_bytes: options.streamBytesMax,
      max_msgs_per_subject: 500,
      max_msg_size: options.messageBytesMax,
      allow_direct: true,
      republish: { src: '>', dest: 'live.>' },
    });
    expect(await configOf(WORK_STREAM)).toMatchObject({
      subjects: ['work.>'],
      retention: 'workqueue',
      discard: 'new',
      discard_new_per_subject: true,
      max_msgs_per_subject: 1,
    });
  });

  it('without age have none', async () => {
    const { options, stream, name } = optionsWith();
    await provision(on.broker, { ...options, retentionClasses: [{ name, ttlMsMax: null }] });
    expect((await configOf(stream)).max_age).toBe(0);
  });

  it('stay as they are when nothing has changed', async () => {
    const { options, stream } = optionsWith();
    await provision(on.broker, options);
    const before = await configOf(stream);
    for (let i = 0; i < 3; i++) {
      expect(await provision(on.broker, options)).toEqual({ created: [], raised: [], kept: [] });
    }
    expect(await configOf(stream)).toEqual(before);
  });

  it('can be made by many nodes at the same time', async () => {
    const { options, stream } = optionsWith({ shards: 3 });
    const nodes = await Promise.all([1, 2, 3, 4].map(() => connectStore(nats.url)));
    const reports = await Promise.all(nodes.map((node) => provision(node.broker, options)));
    expect(new Set(reports.flatMap((r) => r.created))).toEqual(
      new Set([0, 1, 2].map((shard) => stream.replace(/0$/, String(shard)))),
    );
    for (const report of reports) expect(report).toMatchObject({ raised: [], kept: [] });
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });

  it('can be made by nodes of different configurations at the same time: the larger one holds', async () => {
    const { options, stream } = optionsWith({ packsPerTaskMax: 1_000 });
    const larger = { ...options, packsPerTaskMax: 5_000 };
    const nodes = await Promise.all([1, 2, 3, 4].map(() => connectStore(nats.url)));
    await Promise.all(nodes.map((node, i) => provision(node.broker, i % 2 === 0 ? options : larger)));
    await provision(on.broker, larger);
    expect((await configOf(stream)).max_msgs_per_subject).toBe(5_000);
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });
});

describe('limits', () => {
  const raise: ReadonlyArray<readonly [string, (o: StoreOptions) => StoreOptions, string, number]> = [
    ['bytes', (o) => ({ ...o, streamBytesMax: 2_000_000 }), 'max_bytes', 2_000_000],
    ['packs per task', (o) => ({ ...o, packsPerTaskMax: 2_000 }), 'max_msgs_per_subject', 2_000],
    ['message size', (o) => ({ ...o, messageBytesMax: 300_000 }), 'max_msg_size', 300_000],
    ['age', (o) => ({ ...o, retentionSlackMs: 7_200_000 }), 'max_age', 10_800_000 * 1e6],
    [
      'age to none',
      (o) => ({ ...o, retentionClasses: o.retentionClasses.map((c) => ({ ...c, ttlMsMax: null })) }),
      'max_age',
      0,
    ],
  ];
  const base = { streamBytesMax: 1_000_000, packsPerTaskMax: 1_000, messageBytesMax: 200_000 };

  it.each(raise)('of %s are raised', async (_what, change, key, value) => {
    const { options, stream } = optionsWith(base);
    await provision(on.broker, options);
    expect(await provision(on.broker, change(options))).toEqual({
      created: [],
      raised: [`${stream}.${key}`],
      kept: [],
    });
    expect(await configOf(stream)).toMatchObject({ [key]: value });
  });

  it.each(raise)('of %s are never lowered: the larger one is kept, and said', async (_what, change, key, value) => {
    const { options, stream } = optionsWith(base);
    await provision(on.broker, change(options));
    expect(await provision(on.broker, options)).toEqual({ created: [], raised: [], kept: [`${stream}.${key}`] });
    expect(await configOf(stream)).toMatchObject({ [key]: value });
  });

  it('that a smaller configuration names delete nothing', async () => {
    const { options, name } = optionsWith();
    const large = await connectStore(nats.url, options);
    const { spec, log } = await runningTask(large, { taskId: `${name}0-${'A'.repeat(22)}` });
    await emitSteps(log, 30, 'awaited');
    const lines = await storedLines(large, spec.taskId);
    const small = await connectStore(nats.url, { ...options, packsPerTaskMax: 5, streamBytesMax: 1_000 });
    expect(await storedLines(small, spec.taskId)).toEqual(lines);
    for (const store of [large, small]) await store[Symbol.asyncDispose]();
  });
});

describe('what cannot be changed safely is refused with the setting and both values', () => {
  const changes: ReadonlyArray<readonly [string, Partial<StreamConfig>, string, RegExp]> = [
    ['subjects', { subjects: ['evt.other.0.*'] }, 'subjects', /has subjects \["evt\.other\.0\.\*"\]/],
    ['retention', { retention: 'interest' }, 'retention', /has retention "interest".*wants "limits"/],
    ['storage', { storage: 'memory' }, 'storage', /has storage "memory".*wants "file"/],
    ['discard', { discard: 'old' }, 'discard', /has discard "old".*wants "new"/],
    ['compression', { compression: 'none' }, 'compression', /has compression "none".*wants "s2"/],
    ['layout', { metadata: { taskstream_layout: '2' } }, 'layout version', /has layout version "2".*wants "1"/],
    ['no layout', { metadata: {} }, 'layout version', /has layout version null.*wants "1"/],
    ['no live tail', { republish: undefined as never }, 'republish', /has republish null/],
    ['no direct reads', { allow_direct: false }, 'allow_direct', /has allow_direct false.*wants true/],
  ];

  it.each(changes)('other %s', async (_what, change, setting, message) => {
    const { options, stream, name } = optionsWith();
    const { subjects, ...rest } = await templateOf(name);
    await on.broker.jsm.streams.add({ ...rest, subjects, ...change, name: stream });
    const refusal = await refusalOf(options);
    expect(refusal).toMatchObject({ code: 'provision_refused', details: { stream, setting } });
    expect(refusal.message).toMatch(message);
    expect(refusal.message).toContain(stream);
    await on.broker.jsm.streams.delete(stream);
  });

  it('more replicas than there are servers, for a new stream and for an old one', async () => {
    const { options, stream } = optionsWith();
    const created = await refusalOf({ ...options, replicas: 3 });
    expect(created).toMatchObject({ code: 'provision_refused' });
    expect(created.message).toMatch(new RegExp(`Creating the stream ${stream} with num_replicas 3`));
    await provision(on.broker, options);
    const raised = await refusalOf({ ...options, replicas: 3 });
    expect(raised).toMatchObject({ code: 'provision_refused' });
    expect(raised.message).toMatch(new RegExp(`Raising num_replicas of the stream ${stream} failed: .*not part of`));
    expect((await configOf(stream)).num_replicas).toBe(1);
  });

  it('more bytes than the servers have', async () => {
    const { options } = optionsWith({ streamBytesMax: 2 ** 50 });
    const refusal = await refusalOf(options);
    expect(refusal).toMatchObject({ code: 'provision_refused' });
    expect(refusal.message).toMatch(/max_bytes 1125899906842624 failed: .*storage/);
  });

  it('a stream of another name on our subjects', async () => {
    const { options, stream, name } = optionsWith();
    await on.broker.jsm.streams.add({ name: `SQUAT_${name}`, subjects: [`evt.${name}.0.*`] });
    const refusal = await refusalOf(options);
    expect(refusal).toMatchObject({ code: 'provision_refused' });
    expect(refusal.message).toMatch(new RegExp(`${stream}.*overlap`));
  });
});

/** The configuration of a stream as we make it, from one that we made. */
async function templateOf(name: string): Promise<StreamConfig & { subjects: string[] }> {
  const config = await configOf('TASKS_d_0');
  return { ...config, subjects: config.subjects.map((s) => s.replace('.d.', `.${name}.`)) };
}

describe('the report', () => {
  it('names every stream once', async () => {
    const { options } = optionsWith({ shards: 4 });
    const report: ProvisionReport = await provision(on.broker, options);
    expect(new Set(report.created).size).toBe(4);
  });
});
