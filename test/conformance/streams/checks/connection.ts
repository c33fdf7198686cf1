/**
 * One stream of a task per connection, tried on one HTTP/1.1 connection with pipelined requests.
 *
 * Responses come in order, so the second is seen when the first has ended. A server that also *reads* requests one
 * after another never has two streams open; `tasks/get` behind the second one tells which kind it is.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Check } from '../kit.js';
import { messagesOf, RawConnection } from '../raw-connection.js';
import { EVENT_METHOD } from '../wire.js';

const INVALID_PARAMS = -32_602;
/** Time for the server to look at pipelined requests while the first one is open. */
const SETTLE_MS = 300;

const oneActive: Check = {
  name: 'a second stream on one connection',
  ids: ['SEP2694-ONE-ACTIVE', 'SEP2694-SECOND-REFUSED'],
  async run(kit, verdict) {
    const taskId = await kit.call(kit.options.long);
    const connection = new RawConnection(kit.options.url, kit.options.deadlineMs);
    try {
      connection.send(kit.endpoint.prepare('tasks/stream', { taskId }));
      const open = await connection.until((r) => r[0]?.complete === true || r[0]?.body.includes(EVENT_METHOD) === true);
      if (open === undefined || open[0]?.complete === true) throw new Error('the first stream did not stay open');
      connection.send(kit.endpoint.prepare('tasks/stream', { taskId }));
      connection.send(kit.endpoint.prepare('tasks/get', { taskId }));
      await delay(SETTLE_MS);
      await kit.cancel(taskId);
      const responses = await connection.until((r) => r.filter(({ complete }) => complete).length >= 3);
      if (responses === undefined) {
        verdict.skip(oneActive.ids, 'the server does not answer pipelined requests');
        return;
      }
      const [, second = [], get = []] = responses.map(messagesOf);
      const error = second.find((m) => m.error !== undefined)?.error;
      const status = get.find((m) => m.result !== undefined)?.result?.['status'];
      if (error === undefined && status !== 'working') {
        verdict.skip(oneActive.ids, 'the server reads the requests of a connection one after another');
        return;
      }
      const seen = error === undefined ? 'a second stream was served' : `it was refused with ${error.code}`;
      verdict.expect('SEP2694-ONE-ACTIVE', error !== undefined, seen);
      verdict.expect('SEP2694-SECOND-REFUSED', error?.code === INVALID_PARAMS, seen);
    } finally {
      connection.close();
      await kit.cancel(taskId);
    }
  },
};

export const CONNECTION_CHECKS: readonly Check[] = [oneActive];
