import { describe, expect, it } from 'vitest';
import { SharedReads } from '../src/shared-reads.js';

/** A read that is answered by hand. */
function reader() {
  const answers: Array<(found: string | undefined) => void> = [];
  const failures: Array<(error: Error) => void> = [];
  const read = () =>
    new Promise<string | undefined>((resolve, reject) => {
      answers.push(resolve);
      failures.push(reject);
    });
  return { answers, failures, read };
}

describe('reads that callers share', () => {
  it('reads once for all that ask meanwhile, and again afterwards', async () => {
    const shared = new SharedReads<string>();
    const { answers, read } = reader();
    const all = [shared.get('a', read), shared.get('a', read), shared.get('a', read)];
    expect(answers).toHaveLength(1);
    answers[0]?.('found');
    expect(await Promise.all(all)).toEqual(['found', 'found', 'found']);
    void shared.get('a', read);
    expect(answers).toHaveLength(2);
  });

  it('keeps keys apart', () => {
    const shared = new SharedReads<string>();
    const { answers, read } = reader();
    void shared.get('a', read);
    void shared.get('b', read);
    expect(answers).toHaveLength(2);
  });

  it('tells absence only after a read that began later than the question', async () => {
    const shared = new SharedReads<string>();
    const { answers, read } = reader();
    const first = shared.get('a', read);
    const later = [shared.get('a', read), shared.get('a', read)];
    answers[0]?.(undefined);
    expect(await first).toBeUndefined();
    await Promise.resolve();
    expect(answers).toHaveLength(2);
    answers[1]?.('written meanwhile');
    expect(await Promise.all(later)).toEqual(['written meanwhile', 'written meanwhile']);
    expect(answers).toHaveLength(2);
  });

  it('gives a failure to all that share it, and keeps nothing of it', async () => {
    const shared = new SharedReads<string>();
    const { answers, failures, read } = reader();
    const all = [shared.get('a', read), shared.get('a', read)];
    failures[0]?.(new Error('no answer'));
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = shared.get('a', read);
    answers[1]?.('found');
    expect(await again).toBe('found');
  });
});
