/**
 * Who puts a question to a client: a key per question in a bucket, taken by compare-and-set.
 *
 * Invariants: one holder at a time; a holder that vanishes loses its lease after `LEASE_MS`.
 */
import type { QuestionLeases } from '@taskstream/core';
import { JetStreamApiError } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import * as z from 'zod';
import type { Broker } from './broker.js';
import { QUESTIONS_BUCKET } from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { whileUnavailable } from './waiting.js';

const LEASE_MS = 30_000;
const BUCKET_AGE_MS = 3_600_000;
const Lease = z.object({ holder: z.string(), untilMs: z.number() });

export async function openQuestionLeases(broker: Broker, options: StoreOptions): Promise<QuestionLeases> {
  const bucket = await whileUnavailable('opening the leases of questions', options.readRetryMsMax, () =>
    new Kvm(broker.js).create(QUESTIONS_BUCKET, { history: 1, ttl: BUCKET_AGE_MS, replicas: options.replicas }),
  );
  const keyOf = (taskId: string, key: string) => `${taskId}.${Buffer.from(key).toString('base64url')}`;
  return {
    async take(taskId, key, holder) {
      const at = keyOf(taskId, key);
      const lease = JSON.stringify({ holder, untilMs: Date.now() + LEASE_MS });
      try {
        const there = await bucket.get(at);
        if (there === null || there.operation !== 'PUT') {
          await bucket.create(at, lease);
          return true;
        }
        const parsed = Lease.safeParse(there.json());
        if (parsed.success && parsed.data.holder !== holder && parsed.data.untilMs > Date.now()) return false;
        await bucket.update(at, lease, there.revision);
        return true;
      } catch (error) {
        // Another node was faster, or nobody can be asked now: the next round asks again.
        if (error instanceof JetStreamApiError || isNatsFault(error, 'unavailable', 'transient')) return false;
        throw error;
      }
    },
    async release(taskId, key, holder) {
      const at = keyOf(taskId, key);
      const there = await bucket.get(at);
      if (there === null || there.operation !== 'PUT') return;
      const parsed = Lease.safeParse(there.json());
      if (parsed.success && parsed.data.holder === holder) await bucket.delete(at, { previousSeq: there.revision });
    },
  };
}
