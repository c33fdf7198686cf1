/** The Python client answers the questions of real tools: by threads and by asyncio, in both eras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { runPython, whyNoPython } from './python.js';

const why = whyNoPython();
if (why !== undefined) process.stderr.write(`NOT TESTED: questions to the Python client, because ${why}\n`);

/** One program for both: `await`, `async for` and `async def`, or nothing. */
const program = (client: string, era: string, endpoint: string): string => {
  const [wait, asynchronous] = client === 'TaskClient' ? ['', ''] : ['await ', 'async '];
  return `
import asyncio, json
from taskstream_client import ${client}
asked = []
${asynchronous}def answer(key, request):
    asked.append(request.params["message"])
    return {"action": "accept", "content": {"text": str(len(asked)), "name": "Ada"}}
async def main():
    client = ${client}(${JSON.stringify(endpoint)}, era=${JSON.stringify(era)}, on_input_request=answer)
    texts = []
    two = ${wait}client.call_tool("ask_two")
    ${asynchronous}for item in two.events():
        pass
    for name in ("ask_name", "ask_quickly"):
        call = ${wait}client.call_tool(name)
        texts.append((${wait}call.result())["content"][0]["text"])
    texts.append((${wait}two.result())["content"][0]["text"])
    print(json.dumps([sorted(asked), texts]))
asyncio.run(main())
`;
};

describe.runIf(why === undefined)('the Python client', () => {
  let nats: TestNats;
  let frontEnd: FrontEnd;
  let processes: TestProcess[] = [];

  beforeAll(async () => {
    nats = await startNats();
    frontEnd = await startFrontEnd(nats.url);
    processes = [frontEnd, await startWorker(nats.url)];
  });
  afterAll(async () => {
    await stopAll(processes);
    await nats?.[Symbol.asyncDispose]();
  });

  it.each([
    ['TaskClient', '2026-07-28'],
    ['AsyncTaskClient', '2026-07-28'],
    ['TaskClient', '2025-11-25'],
    ['AsyncTaskClient', '2025-11-25'],
  ])('answers between events, in a wait and in a call: %s, %s', (client, era) => {
    const { code, output } = runPython(['-c', program(client, era, frontEnd.endpoint)]);
    expect(code, output).toBe(0);
    const [asked, [name, quickly, two]] = JSON.parse(output) as [string[], [string, string, string]];
    expect(asked).toEqual(['First?', 'Second?', 'What is your name?', 'What is your name?']);
    expect([name, quickly]).toEqual(['Hello, Ada!', 'Hello, Ada!']);
    expect(['1 and 2', '2 and 1']).toContain(two);
  });
});
