/** What those who wait for one task do to each other. */
import { expect, it } from 'vitest';
import { createTaskClient } from '../src/task-client.js';
import { TASK } from './support/fake-server.js';
import { FAST, latch, serve } from './support/with-server.js';

it('an outcome that cannot be had leaves the events to who reads them, where no question can be asked', async () => {
  const refused = latch();
  const server = await serve({
    'tasks/get': (_request, reply) => reply.http(403),
    'tasks/stream': async (_request, reply) => {
      reply.sse().event(0);
      await refused.opened;
      reply.event(1).terminal(2);
    },
  });
  const handle = createTaskClient({ endpoints: [server.url], limits: FAST }).task(TASK);
  const seqs: number[] = [];
  for await (const item of handle.events()) {
    if (item.type !== 'event') continue;
    seqs.push(item.event.seq);
    if (item.event.seq > 0) continue;
    await expect(handle.outcome()).rejects.toMatchObject({ code: 'forbidden' });
    refused.open();
  }
  expect(seqs).toEqual([0, 1]);
});
