/** The part that speaks 2025-11-25 is loaded when it is needed: over a network, which may be cut just then. */
import { expect, it, vi } from 'vitest';
import { TASK, task } from './support/fake-server.js';
import { FAST, serve } from './support/with-server.js';

it('a part that could not be loaded is asked for again', async () => {
  let loads = 0;
  vi.doMock('../src/http-2025.js', () => {
    loads += 1;
    if (loads === 1) throw new Error('the network is cut');
    class Http2025 {
      serves = () => true;
      leave = () => undefined;
      post = () => Promise.resolve({ type: 'http-error', status: 403 });
    }
    return { Http2025 };
  });
  const { createTaskClient } = await import('../src/task-client.js');
  const server = await serve({ 'tasks/get': (_request, reply) => reply.json(task('working')) });
  const client = createTaskClient({ endpoints: [server.url], revision: '2025-11-25', limits: FAST });
  await expect(client.getTask(TASK)).rejects.toMatchObject({ code: 'forbidden' });
  expect(loads).toBe(2);
});
