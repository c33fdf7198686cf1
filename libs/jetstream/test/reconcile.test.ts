/** What provisioning does with a stream that exists: limits grow, nothing else changes, everything else is refused. */
import { RetentionPolicy, StorageType, DiscardPolicy, StoreCompression, type StreamConfig } from '@nats-io/jetstream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAYOUT_METADATA_KEY, LAYOUT_VERSION } from '../src/names.js';
import { reconcile } from '../src/provision.js';

const base = {
  name: 'TASKS_d_0',
  subjects: ['evt.d.0.*', 'spec.d.0.*'],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.New,
  compression: StoreCompression.S2,
  allow_direct: true,
  republish: { src: '>', dest: 'live.>' },
  num_replicas: 1,
  metadata: { [LAYOUT_METADATA_KEY]: LAYOUT_VERSION },
};
const LIMITS = ['max_age', 'max_bytes', 'max_msgs_per_subject', 'max_msg_size'] as const;

const existing = (change: Partial<StreamConfig> = {}): StreamConfig => ({ ...base, ...change }) as StreamConfig;

/** A limit as the server states it: 0 and -1 are none. */
const limit = fc.oneof(fc.constantFrom(0, -1), fc.integer({ min: 2, max: 2 ** 50 }));
const limits = fc.record({ max_age: limit, max_bytes: limit, max_msgs_per_subject: limit, max_msg_size: limit });
const size = (n: number | undefined) => (n === undefined || n <= 0 ? Number.POSITIVE_INFINITY : n);

describe('reconcile', () => {
  it('changes nothing when everything is as wanted', () => {
    fc.assert(
      fc.property(limits, (l) => {
        expect(reconcile(existing(l), { ...base, ...l })).toEqual({ raise: {}, kept: [] });
      }),
    );
  });

  it('never makes a limit smaller, reaches every larger one, and says which it keeps', () => {
    fc.assert(
      fc.property(limits, limits, (is, want) => {
        const { raise, kept } = reconcile(existing(is), { ...base, ...want });
        for (const key of LIMITS) {
          const after = size(raise[key] ?? is[key]);
          expect(after).toBe(Math.max(size(is[key]), size(want[key])));
          expect(kept.includes(key)).toBe(size(want[key]) < size(is[key]));
          expect(key in raise).toBe(size(want[key]) > size(is[key]));
        }
      }),
    );
  });

  it('settles after one round: what was raised is as wanted', () => {
    fc.assert(
      fc.property(limits, limits, (is, want) => {
        const { raise } = reconcile(existing(is), { ...base, ...want });
        expect(reconcile(existing({ ...is, ...raise }), { ...base, ...want }).raise).toEqual({});
      }),
    );
  });

  it('leaves the one message per subject of the work queue alone', () => {
    const { raise, kept } = reconcile(existing({ max_msgs_per_subject: 1 }), { ...base, max_msgs_per_subject: 1 });
    expect({ raise, kept }).toEqual({ raise: {}, kept: [] });
  });

  it('adds replicas and never takes one away', () => {
    expect(reconcile(existing(), { ...base, num_replicas: 3 }).raise).toEqual({ num_replicas: 3 });
    expect(() => reconcile(existing({ num_replicas: 3 }), base)).toThrow(/num_replicas 3, the configuration wants 1/);
  });

  it('does not mind the order of subjects', () => {
    const { raise, kept } = reconcile(existing({ subjects: base.subjects.toReversed() }), base);
    expect({ raise, kept }).toEqual({ raise: {}, kept: [] });
  });

  const other: ReadonlyArray<readonly [string, Partial<StreamConfig>]> = [
    ['subjects', { subjects: ['evt.d.0.*'] }],
    ['retention', { retention: RetentionPolicy.Workqueue }],
    ['storage', { storage: StorageType.Memory }],
    ['discard', { discard: DiscardPolicy.Old }],
    ['compression', { compression: StoreCompression.None }],
    ['allow_direct', { allow_direct: false }],
    ['republish', { republish: { src: '>', dest: 'other.>' } }],
    ['layout version', { metadata: { [LAYOUT_METADATA_KEY]: '2' } }],
    ['layout version', { metadata: {} }],
  ];
  it.each(other)('refuses other %s, by its name', (setting, change) => {
    let refusal: unknown;
    try {
      reconcile(existing(change), base);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'provision_refused', details: { stream: 'TASKS_d_0', setting } });
    expect((refusal as Error).message).toContain(`The stream TASKS_d_0 has ${setting} `);
  });

  it('does not touch settings that the configuration does not name', () => {
    const { raise, kept } = reconcile(existing({ max_bytes: 10, description: 'by hand', max_consumers: 7 }), base);
    expect({ raise, kept }).toEqual({ raise: {}, kept: [] });
  });
});
