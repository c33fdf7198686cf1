/** The Python client steers, pauses, resumes and deletes tasks of real workers: by threads and by asyncio, in both eras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ofType, startInteractionScene, type InteractionScene } from '../interaction/scene.js';
import { runPython, whyNoPython } from './python.js';

const why = whyNoPython();
if (why !== undefined) process.stderr.write(`NOT TESTED: steering with the Python client, because ${why}\n`);

/** One program for both: `await` before each request, or nothing. */
const program = (client: string, wait: string, era: string, endpoint: string): string => `
import asyncio, json
from taskstream_client import ${client}, ClientError
async def main():
    client = ${client}(${JSON.stringify(endpoint)}, era=${JSON.stringify(era)})
    call = ${wait}client.call_tool("listener", {})
    ${wait}call.steer("academic sources first", {"weight": 2})
    ${wait}call.pause()
    ${wait}call.resume()
    ${wait}call.steer("done")
    ${wait}call.result()
    codes = []
    try:
        ${wait}call.pause()
    except ClientError as error:
        codes.append([error.code, error.details.get("reason")])
    gone = ${wait}client.call_tool("listener", {})
    ${wait}gone.delete()
    try:
        ${wait}gone.status()
    except ClientError as error:
        codes.append([error.code, None])
    print(json.dumps([call.task_id, codes]))
asyncio.run(main())
`;

describe.runIf(why === undefined)('the Python client', () => {
  let scene: InteractionScene;

  beforeAll(async () => {
    scene = await startInteractionScene('./tools.mjs');
    await scene.worker();
  });
  afterAll(() => scene?.[Symbol.asyncDispose]());

  it.each([
    ['threads', '2026-07-28', 'TaskClient', ''],
    ['asyncio', '2026-07-28', 'AsyncTaskClient', 'await '],
    ['threads', '2025-11-25', 'TaskClient', ''],
    ['asyncio', '2025-11-25', 'AsyncTaskClient', 'await '],
  ])('talks to the tool that runs: %s, %s', async (_way, era, client, wait) => {
    const { code, output } = runPython(['-c', program(client, wait, era, scene.endpoint)]);
    expect(code, output).toBe(0);
    const [taskId, codes] = JSON.parse(output) as [string, unknown];
    expect(codes).toEqual([
      ['rpc_error', 'task_ended'],
      ['unknown_task', null],
    ]);
    const events = await scene.events(taskId);
    expect(ofType(events, 'com.example.heard')[0]?.payload).toMatchObject({
      message: 'academic sources first',
      data: { weight: 2 },
    });
    const told = events.flatMap(({ type }) => /\.task\.(steered|paused|resumed)$/.exec(type)?.[1] ?? []);
    expect(told).toEqual(['steered', 'paused', 'resumed', 'steered']);
  });
});
