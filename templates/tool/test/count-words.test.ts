import { createTestTask } from '@taskstream/worker/testing';
import { expect, test } from 'vitest';
import { countWords } from '../src/count-words.js';

test('counts the words and tells of each text', async () => {
  const { result, events } = await createTestTask(countWords, { texts: ['one two', 'three'] }).run();
  expect(result?.structuredContent).toEqual({ words: 3 });
  expect(events.filter((e) => e.type === 'com.example.counted').map((e) => e.payload)).toEqual([
    { text: 0, words: 2 },
    { text: 1, words: 1 },
  ]);
});

test('asks before it counts many', async () => {
  const task = createTestTask(
    countWords,
    { texts: ['a', 'b', 'c', 'd'] },
    { answers: { 'go on': { action: 'decline' } } },
  );
  expect((await task.run()).result?.structuredContent).toEqual({ words: 0 });
});

test('goes on after its worker has died, and counts no text twice', async () => {
  const task = createTestTask(countWords, { texts: ['one two', 'three'] });
  const ended = task.run();
  await task.emitted('com.example.counted');
  task.crash();
  const { result, attempts, events } = await ended;
  expect(result?.structuredContent).toEqual({ words: 3 });
  expect(attempts).toBe(2);
  expect(events.filter((e) => e.type === 'dev.taskstream.step.completed')).toHaveLength(2);
});
