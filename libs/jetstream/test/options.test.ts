/** The options: their text form, their defaults, and that a service can take them over whole. */
import { describe, expect, it } from 'vitest';
import { StoreOptions, storeOptionsOf, storeOptionsShape } from '../src/options.js';

describe('retention classes', () => {
  it('are read from text', () => {
    expect(StoreOptions.parse({ retentionClasses: ['h:3600000', 'p:'] }).retentionClasses).toEqual([
      { name: 'h', ttlMsMax: 3_600_000 },
      { name: 'p', ttlMsMax: null },
    ]);
  });

  it.each(['', 'd', 'D:1', 'd0:1', 'd:-1', 'd:1.5', 'd:x', 'toolonganame:1', ':1'])('refuse %j', (text) => {
    const parsed = StoreOptions.safeParse({ retentionClasses: [text] });
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues[0]?.path).toEqual(['retentionClasses', 0]);
  });

  it('are four by default, and one of them is without age', () => {
    const { retentionClasses } = StoreOptions.parse({});
    expect(retentionClasses.map((c) => c.name)).toEqual(['h', 'd', 'w', 'p']);
    expect(retentionClasses.filter((c) => c.ttlMsMax === null)).toHaveLength(1);
  });
});

describe('the options', () => {
  it('refuse what they do not know, and what is no bound', () => {
    expect(StoreOptions.safeParse({ replica: 3 }).success).toBe(false);
    for (const key of Object.keys(storeOptionsShape)) {
      for (const value of [-1, 1.5, Number.NaN, '1', null]) {
        expect([key, value, StoreOptions.safeParse({ [key]: value }).success]).toEqual([key, value, false]);
      }
    }
  });

  it('are described, each of them', () => {
    for (const [key, schema] of Object.entries(storeOptionsShape)) {
      expect([key, schema.meta()?.description]).toEqual([key, expect.stringMatching(/\w{3,}/) as string]);
    }
  });

  it('fit each other: an event, a pack and a queue each hold the one before', () => {
    const o = StoreOptions.parse({});
    expect(o.payloadBytesMax).toBeLessThan(o.messageBytesMax);
    expect(o.packBytesMax).toBeLessThan(o.messageBytesMax);
    expect(o.packBytesMax).toBeLessThan(o.emitQueueBytesMax);
    expect(o.publishTimeoutMs).toBeLessThan(o.publishRetryMsMax);
    expect(o.readTimeoutMs).toBeLessThan(o.readRetryMsMax);
    expect(o.mailboxEntriesMax).toBeLessThan(o.packsPerTaskMax);
  });

  it('can be picked from the configuration of a service, and nothing else with them', () => {
    const options = StoreOptions.parse({ shards: 4 });
    const config = { ...options, port: 3000, logLevel: 'info' };
    expect(storeOptionsOf(config)).toEqual(options);
  });
});
