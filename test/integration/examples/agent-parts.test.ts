/** The parts of the agent example by themselves: its demonstration in a test task, and a model that misbehaves. */
import { createTestTask } from '@taskstream/worker/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentTool } from '../../../examples/src/agent/agent.js';
import { openAiModel } from '../../../examples/src/agent/openai-model.js';
import { DEMONSTRATION, scriptedModel, type Script } from '../../../examples/src/agent/scripted-model.js';
import { LineSplitter } from '../../../examples/src/run-command/line-splitter.js';
import { FakeOpenAi, type Answer } from './fake-openai.js';

describe('the agent with a script', () => {
  it('shows everything that it can in its demonstration', async () => {
    const task = createTestTask(agentTool(scriptedModel(DEMONSTRATION)), { prompt: '19 + 23?' });
    const ended = task.run();
    await task.asked('ask t3.1');
    task.answer('ask t3.1', { action: 'accept', content: { answer: 'yes' } });
    const { result, events } = await ended;
    expect(result?.content).toEqual([{ type: 'text', text: DEMONSTRATION['lead']?.at(-1)?.text }]);
    const outputs = events.filter((e) => e.type === 'com.example.tool.finished').map((e) => e.payload['output']);
    expect(outputs).toEqual(['42', 'Yes: 42 it is.', 'yes']);
  });

  it('tells nothing twice when it goes on after a crash', async () => {
    const task = createTestTask(agentTool(scriptedModel(DEMONSTRATION)), { prompt: '19 + 23?' });
    const ended = task.run();
    await task.asked('ask t3.1');
    task.crash();
    await task.emitted('dev.taskstream.attempt.started', 2);
    await task.asked('ask t3.1');
    task.answer('ask t3.1', { action: 'decline' });
    const { attempts, events } = await ended;
    expect(attempts).toBe(2);
    const told = events.filter((e) => e.type.startsWith('com.example.') && !e.type.endsWith('.delta'));
    const seen = told.map((e) => `${e.type} ${String(e.identity?.itemId)}`);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(2 * 8);
    expect(task.children.map((child) => [child.tool, child.status.status])).toEqual([['agent', 'completed']]);
  });

  const call = (name: string, args: string) => ({ toolCalls: [{ id: 'c', name, arguments: args }] });
  const bad: ReadonlyArray<readonly [string, ReadonlyArray<Script[string][number]>, string]> = [
    ['a tool that is not there', [call('fly', '{}')], 'There is no tool fly'],
    ['arguments that are not JSON', [call('add', '{"numbers":[1')], 'Invalid arguments for add'],
    ['arguments that break the schema', [call('add', '{"numbers":"1"}')], 'Invalid arguments for add'],
  ];
  it.each(bad)('tells the model of %s, and goes on', async (_what, turns, message) => {
    const script = { lead: [...turns, { text: 'sorry' }] };
    const { result, events } = await createTestTask(agentTool(scriptedModel(script)), { prompt: 'p' }).run();
    expect(result?.content).toEqual([{ type: 'text', text: 'sorry' }]);
    const finished = events.find((e) => e.type === 'com.example.tool.finished');
    expect(finished?.payload).toMatchObject({ isError: true, output: expect.stringContaining(message) });
  });

  it('stops a model that never comes to an end', async () => {
    const script = { lead: Array.from({ length: 9 }, () => call('add', '{"numbers":[1]}')) };
    const tool = agentTool(scriptedModel(script), { turnsMax: 3 });
    const { result } = await createTestTask(tool, { prompt: 'p' }).run();
    expect(result).toMatchObject({ isError: true, content: [{ text: 'lead has not come to an end after 3 turns' }] });
  });
});

describe('a model behind HTTP', () => {
  let server: FakeOpenAi;
  beforeAll(async () => {
    server = await FakeOpenAi.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const turn = async (answer: Answer, responseBytesMax?: number) => {
    server.answers = [answer];
    const texts: string[] = [];
    const model = openAiModel({
      baseUrl: server.url,
      model: 'm',
      ...(responseBytesMax !== undefined && { responseBytesMax }),
    });
    const request = { agent: 'a', messages: [], tools: [], signal: new AbortController().signal, idempotencyKey: 'k' };
    const said = await model.turn({ ...request, onText: (text) => void texts.push(text) });
    return { said, texts };
  };

  it('gives text and calls whole, however the stream was cut', async () => {
    const toolCalls = [
      { id: 'c1', name: 'add', arguments: '{"numbers":[1,2,3]}' },
      { id: 'c2', name: 'ask_user', arguments: '{"question":"é — ok?"}' },
    ];
    const { said, texts } = await turn({ text: 'Ein Gruß an alle 👋 hier', toolCalls });
    expect(said).toEqual({ text: 'Ein Gruß an alle 👋 hier', toolCalls });
    expect(texts.length).toBeGreaterThan(3);
    expect(texts.join('')).toBe(said.text);
  });

  it('refuses a stream that breaks off, one that is too long, and an error', async () => {
    await expect(turn({ text: 'half an ans', breaks: true })).rejects.toThrow(/terminated|ended before|fetch failed/);
    await expect(turn({ text: 'word '.repeat(100) }, 500)).rejects.toThrow(
      "The model's answer has more than 500 bytes",
    );
    await expect(turn({ status: 429 })).rejects.toThrow('The model answered 429: {"error":{"message":"no answer"}}');
  });
});

it('lines come whole, however the stream was cut, and long ones in pieces', () => {
  const text = 'é one\r\ntwo\n\nfour is long: 0123456789\nlast';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 3, 7, 100]) {
    const splitter = new LineSplitter(14);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)));
    lines.push(...splitter.end());
    expect(lines).toEqual(['é one', 'two', '', 'four is long: ', '0123456789', 'last']);
  }
});
