/**
 * Tools that clients talk to while they run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool, RetryableError } from '@taskstream/worker';
import * as z from 'zod';

export default [
  defineTool({
    name: 'listener',
    description: 'Ticks, tells what it hears, and ends, dies or fails as it is told',
    inputSchema: z.object({}),
    steerable: true,
    pausable: true,
    retry: { attemptsMax: 3, backoffMsBase: 60_000 },
    async run(_input, task) {
      let last;
      const done = new Promise((resolve, reject) => {
        task.mailbox.onSteer(({ number, message, data }) => {
          void task.emit('com.example.heard', { number, message, ...(data !== undefined && { data }) });
          if (message === 'done') resolve();
          if (message === 'die' && task.attempt === 1) process.kill(process.pid, 'SIGKILL');
          if (message === 'retry' && task.attempt === 1) reject(new RetryableError('told to'));
        });
        task.signal.addEventListener('abort', () => reject(task.signal.reason));
      });
      done.then(
        () => (last = true),
        () => (last = true),
      );
      for (let i = 0; last === undefined; i++) {
        await Promise.race([task.mailbox.whenResumed(), done]);
        if (last !== undefined) break;
        await task.emit('com.example.tick', { i });
        await delay(20);
      }
      await done;
      return 'heard enough';
    },
  }),
  defineTool({
    name: 'deaf',
    description: 'Takes no steers and cannot be paused',
    inputSchema: z.object({ ms: z.int().positive().default(60_000) }),
    async run({ ms }, task) {
      await delay(ms, undefined, { signal: task.signal });
      return 'done';
    },
  }),
  defineTool({
    name: 'careless',
    description: 'Listens without having said so',
    inputSchema: z.object({}),
    async run(_input, task) {
      for await (const { message } of task.mailbox.steer()) return message;
      return 'nothing';
    },
  }),
  defineTool({
    name: 'waits_for_words',
    description: 'Waits for three messages, one after the other',
    inputSchema: z.object({}),
    steerable: true,
    async run(_input, task) {
      const words = [];
      for await (const { message } of task.mailbox.steer()) {
        words.push(message);
        if (words.length === 3) break;
      }
      return words.join(' ');
    },
  }),
];
