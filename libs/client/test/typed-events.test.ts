import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { createTaskClient } from '../src/task-client.js';
import type { Notice } from '../src/notices.js';
import { TASK, type FakeServer } from './support/fake-server.js';
import { FAST, serve } from './support/with-server.js';

const STEP = 'com.example.step';
const server = (...payloads: readonly object[]): Promise<FakeServer> =>
  serve({
    'tasks/stream': (_request, reply) => {
      reply.sse();
      for (const [seq, payload] of payloads.entries()) reply.event(seq, { payload });
      reply.event(payloads.length, { type: 'com.example.other' }).terminal(payloads.length + 1);
    },
  });

describe('events with declared schemas', () => {
  it('are typed as the schema gives them; others are not', async () => {
    const { url } = await server({ n: '1' }, { n: '2' });
    const client = createTaskClient({ endpoints: [url], limits: FAST });
    const step = z.object({ n: z.string().transform(Number) });
    const seen: unknown[] = [];
    for await (const item of client.followTask(TASK, { events: { [STEP]: step } })) {
      if (item.type !== 'event') continue;
      if (item.typed?.type === STEP) {
        expectTypeOf(item.typed.payload).toEqualTypeOf<{ n: number }>();
        seen.push(item.typed.payload.n);
      } else seen.push(item.event.type);
    }
    expect(seen).toEqual([1, 2, 'com.example.other']);
  });

  it('take anything that parses, without a schema library', async () => {
    const { url } = await server({ n: 7 });
    const client = createTaskClient({ endpoints: [url], limits: FAST });
    const schema = { parse: (payload: unknown): number => (payload as { n: number }).n };
    const seen: (number | undefined)[] = [];
    for await (const item of client.followTask(TASK, { events: { [STEP]: schema } })) {
      if (item.type === 'event') seen.push(item.typed?.payload);
    }
    expect(seen).toEqual([7, undefined]);
  });

  it.each([
    ['a Standard Schema', z.object({ n: z.number() }), 'n: '],
    [
      'something that throws',
      {
        parse: () => {
          throw new Error('no number');
        },
      },
      'no number',
    ],
  ])('hide no event whose payload breaks %s: it comes as it is, and is told of', async (_name, schema, message) => {
    const { url } = await server({ n: 'x' });
    const notices: Notice[] = [];
    const client = createTaskClient({ endpoints: [url], limits: FAST, onNotice: (notice) => notices.push(notice) });
    const items = [];
    for await (const item of client.followTask(TASK, { events: { [STEP]: schema } })) items.push(item);
    expect(items).toMatchObject([{ event: { payload: { n: 'x' } } }, { event: { type: 'com.example.other' } }]);
    expect(items[0]).not.toHaveProperty('typed');
    expect(notices.filter(({ type }) => type === 'payload-invalid')).toEqual([
      {
        type: 'payload-invalid',
        taskId: TASK,
        seq: 0,
        eventType: STEP,
        message: expect.stringContaining(message) as string,
      },
    ]);
  });
});
