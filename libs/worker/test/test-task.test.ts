/** The doors of the test kit itself; what runs behind them is compared with a real worker elsewhere. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineTool } from '../src/define-tool.js';
import { createTestTask } from '../src/testing/index.js';

const ask = defineTool({
  name: 'ask',
  description: 'asks twice',
  inputSchema: z.object({}),
  async run(_input, task) {
    const answers = [];
    for (const name of ['who-is-it', 'really']) {
      const answer = await task.elicit(name, 'Who?', z.object({ name: z.string() }));
      answers.push(answer.action === 'accept' ? answer.content.name : answer.action);
    }
    await task.emit('com.example.answered', {});
    return answers.join(' ');
  },
});
const accept = (name: string) => ({ action: 'accept', content: { name } });

describe('a test task', () => {
  it('answers questions by name', async () => {
    const task = createTestTask(ask, {}, { answers: { 'who-is-it': accept('a'), really: { action: 'decline' } } });
    const outcome = await task.run();
    expect(outcome).toMatchObject({ status: 'completed', attempts: 1, result: { content: [{ text: 'a decline' }] } });
    expect(outcome.events).toBe(task.events);
  });

  it('answers questions by a function, and leaves open what it does not answer', async () => {
    const task = createTestTask(ask, {}, { answers: (name) => (name === 'really' ? accept('b') : undefined) });
    const ended = task.run();
    expect(await task.asked('who-is-it')).toMatchObject({ method: 'elicitation/create', params: { message: 'Who?' } });
    expect(task.status.status).toBe('input_required');
    expect(() => task.answer('other', {})).toThrow('No question other is open');
    task.answer('who-is-it', accept('a'));
    expect((await ended).result?.content).toEqual([{ type: 'text', text: 'a b' }]);
  });

  it('finds an answer again after a crash', async () => {
    const task = createTestTask(ask, {});
    const ended = task.run();
    await task.asked('who-is-it');
    task.answer('who-is-it', accept('a'));
    await task.asked('really');
    task.crash();
    await task.emitted('dev.taskstream.attempt.started', 2);
    await task.asked('really');
    task.answer('really', accept('b'));
    expect(await ended).toMatchObject({ status: 'completed', attempts: 2, result: { content: [{ text: 'a b' }] } });
  });

  it('says that a task ended before what was waited for', async () => {
    const task = createTestTask(ask, {});
    const ended = task.run();
    await task.asked('who-is-it');
    const early = expect(task.emitted('com.example.answered')).rejects.toThrow(
      'The task ended (cancelled) before it emitted com.example.answered 1 times',
    );
    task.cancel('enough');
    await early;
    expect(await ended).toMatchObject({ status: 'cancelled', statusMessage: 'enough', result: undefined });
  });

  it('lets a tool see a client that cannot be asked', async () => {
    const outcome = await createTestTask(ask, {}, { clientCapabilities: {} }).run();
    expect(outcome).toMatchObject({ status: 'completed', statusMessage: expect.stringContaining('elicitation') });
  });

  it('ends a task whose every worker dies, after its attempts', async () => {
    const dies = defineTool({
      name: 'dies',
      description: 'ends its worker',
      inputSchema: z.object({}),
      run: async (_input, current) => {
        await current.emit('com.example.here', {});
        return new Promise<string>(() => undefined);
      },
    });
    const task = createTestTask(dies, {});
    const ended = task.run();
    for (let n = 1; n <= 3; n++) {
      await task.emitted('com.example.here', n);
      task.crash();
    }
    expect(await ended).toMatchObject({ status: 'failed', attempts: 3 });
  });
});
