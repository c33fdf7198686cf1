/** Whether anybody looked at a rejection: every way to look counts, and no way to look away ends the process. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObservedPromises } from '../src/observed-promise.js';

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => void unhandled.push(reason);
let outer: NodeJS.UnhandledRejectionListener[] = [];

beforeEach(() => {
  unhandled.length = 0;
  outer = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', onUnhandled);
});

afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
  for (const listener of outer) process.on('unhandledRejection', listener);
  expect(unhandled).toEqual([]);
});

const fault = new Error('no');
const late = async () => {
  await turn();
  throw fault;
};

describe.each([
  ['at once', () => Promise.reject(fault)],
  ['later', late],
])('a promise that rejects %s', (_when, make) => {
  const looks: ReadonlyArray<readonly [string, (p: Promise<void>) => Promise<unknown>]> = [
    [
      'awaited in a try',
      async (p) => {
        try {
          await p;
        } catch (error) {
          expect(error).toBe(fault);
        }
      },
    ],
    ['caught', (p) => p.catch((error: unknown) => expect(error).toBe(fault))],
    ['given a second handler', (p) => p.then(undefined, (error: unknown) => expect(error).toBe(fault))],
    [
      'caught at the end of a chain',
      (p) =>
        p
          .then(() => 1)
          .then(() => 2)
          .catch(() => 3),
    ],
    ['caught after finally', (p) => p.finally(() => undefined).catch(() => 3)],
    ['collected with others', (p) => Promise.allSettled([p, Promise.resolve()])],
    ['raced', (p) => Promise.race([p, new Promise(() => undefined)]).catch(() => 3)],
    ['awaited late', async (p) => turn().then(() => p.catch(() => 3))],
  ];
  it.each(looks)('is seen when it is %s', async (_how, look) => {
    const promises = new ObservedPromises();
    await look(promises.observe(make()));
    await turn();
    expect(promises.firstUnseen).toBeUndefined();
  });

  const aways: ReadonlyArray<readonly [string, (p: Promise<void>) => unknown]> = [
    ['not looked at at all', () => undefined],
    ['only continued', (p) => void p.then(() => 1)],
    ['continued twice', (p) => void p.then(() => 1).then(() => 2)],
    ['only finished', (p) => void p.finally(() => undefined)],
    ['caught with nothing', (p) => void p.catch(undefined)],
  ];
  it.each(aways)('is unseen when it is %s, and ends nothing', async (_how, away) => {
    const promises = new ObservedPromises();
    away(promises.observe(make()));
    await turn();
    await turn();
    expect(promises.firstUnseen).toEqual({ error: fault });
  });
});

describe('unseen rejections', () => {
  it('are told in their order, and one that is looked at later is no longer told', async () => {
    const promises = new ObservedPromises();
    const [first, second] = [1, 2].map((n) => promises.observe(Promise.reject(new Error(String(n)))));
    await turn();
    expect(promises.firstUnseen?.error).toMatchObject({ message: '1' });
    await first?.catch(() => undefined);
    expect(promises.firstUnseen?.error).toMatchObject({ message: '2' });
    await second?.catch(() => undefined);
    expect(promises.firstUnseen).toBeUndefined();
  });

  it('tell a rejection with nothing from no rejection', async () => {
    const promises = new ObservedPromises();
    // oxlint-disable-next-line prefer-promise-reject-errors -- what authors do
    void promises.observe(Promise.reject(undefined));
    await turn();
    expect(promises.firstUnseen).toEqual({ error: undefined });
  });

  it('are kept within a bound, however many there are', async () => {
    const promises = new ObservedPromises();
    for (let i = 0; i < 5_000; i++) void promises.observe(Promise.reject(new Error(String(i))));
    await turn();
    expect(promises.firstUnseen?.error).toMatchObject({ message: '0' });
  });

  it('do not concern what is fulfilled', async () => {
    const promises = new ObservedPromises();
    expect(await promises.observe(Promise.resolve('value'))).toBe('value');
    expect(await promises.observe(Promise.resolve(1)).then((n) => n + 1)).toBe(2);
    expect(promises.firstUnseen).toBeUndefined();
  });
});
