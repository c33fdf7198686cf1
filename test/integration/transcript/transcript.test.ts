/**
 * Event identity: a transcript that is rebuilt from a stream that was cut and resumed ten times is the one that an
 * uninterrupted reader sees.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { callTask, expectContiguous, readStream, seqOf } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { foldTranscript, type Item } from './fold.js';

const TOOLS = fileURLToPath(new URL('./transcript-tools.mjs', import.meta.url));
const PARENT_TASK = 'd0-the-task-that-called-this-one';
/** Events after which a stream is cut: in the middle of messages, calls and subagents. */
const CUTS = [1, 4, 3, 7, 2, 8, 5, 9, 1, 6] as const;

let nats: TestNats;
let frontEnds: FrontEnd[] = [];
let processes: TestProcess[] = [];

beforeAll(async () => {
  nats = await startNats();
  const worker = await startWorker(nats.url, { TASKSTREAM_TOOLS: TOOLS });
  frontEnds = await Promise.all([startFrontEnd(nats.url), startFrontEnd(nats.url)]);
  processes = [worker, ...frontEnds];
});

afterAll(async () => {
  await stopAll(processes);
  await nats?.[Symbol.asyncDispose]();
});

const endpoint = (i: number): string => frontEnds[i % frontEnds.length]!.endpoint;

/** Reads a task over streams that are cut, each on the other front end. */
async function readInPieces(taskId: string): Promise<{ params: string[]; cuts: number }> {
  const params: string[] = [];
  let cuts = 0;
  for (const [i, size] of CUTS.entries()) {
    const last = params.at(-1);
    const piece = await readStream(endpoint(i), taskId, last === undefined ? undefined : seqOf(last), {
      stop: (_event, count) => count === size,
    });
    expect(piece.params).toHaveLength(size);
    expect(piece.result).toBeUndefined();
    params.push(...piece.params);
    cuts++;
  }
  const rest = await readStream(endpoint(0), taskId, seqOf(params.at(-1)!));
  expect(rest.result).toBeDefined();
  return { params: [...params, ...rest.params], cuts };
}

const item = (
  kind: string,
  id: string,
  agentId: string,
  begun: Record<string, unknown>,
  more: { text?: string; ended?: Item['ended']; toolCallId?: string; children?: Item[] } = {},
): Item => ({
  id,
  kind,
  agentId,
  begun,
  toolCallId: more.toolCallId,
  parentTaskId: PARENT_TASK,
  text: more.text ?? '',
  ended: more.ended ?? [],
  children: more.children ?? [],
});

const ASSISTANT = { role: 'assistant' };
const TREE: Item[] = [
  item(
    'agent',
    'a1',
    'lead',
    { name: 'lead' },
    {
      children: [
        item('message', 'm1', 'lead', ASSISTANT, {
          text: 'I will look at the licences of this repository. Meanwhile the helper reads them one by one. I wait. Two licences, both permissive.',
          ended: [{}],
          children: [
            item(
              'tool',
              't1',
              'lead',
              { tool: 'list_files', args: { glob: '**/LICENSE' } },
              {
                toolCallId: 'call-1',
                ended: [{ found: 2 }],
              },
            ),
            item(
              'tool',
              't2',
              'lead',
              { tool: 'delegate', args: { to: 'helper' } },
              {
                toolCallId: 'call-2',
                ended: [{ licences: ['Apache-2.0', 'ISC'] }],
                children: [
                  item(
                    'agent',
                    'a2',
                    'helper',
                    { name: 'helper' },
                    {
                      toolCallId: 'call-2',
                      children: [
                        item('message', 'm2', 'helper', ASSISTANT, {
                          text: 'The first is Apache, the second I do not know. So it is ISC.',
                          ended: [{}],
                          children: [
                            item(
                              'tool',
                              't3',
                              'helper',
                              { tool: 'delegate', args: { to: 'checker' } },
                              {
                                toolCallId: 'call-3',
                                ended: [{ licence: 'ISC' }],
                                children: [
                                  item(
                                    'agent',
                                    'a3',
                                    'checker',
                                    { name: 'checker' },
                                    {
                                      toolCallId: 'call-3',
                                      children: [
                                        item('message', 'm3', 'checker', ASSISTANT, {
                                          text: 'It is the ISC licence, word for word. ',
                                          ended: [{}],
                                          children: [
                                            item('artifact', 'f1', 'checker', {
                                              name: 'diff.txt',
                                              uri: 'file:///diff.txt',
                                            }),
                                          ],
                                        }),
                                      ],
                                    },
                                  ),
                                ],
                              },
                            ),
                          ],
                        }),
                      ],
                    },
                  ),
                ],
              },
            ),
            item('artifact', 'f2', 'lead', { name: 'report.md', uri: 'file:///report.md' }),
          ],
        }),
      ],
    },
  ),
];

test('a transcript is the same from one stream, from one that was cut ten times, and read again later', async () => {
  const taskId = await callTask(endpoint(0), 'transcript', { parentTaskId: PARENT_TASK, everyMs: 20 });
  const [whole, pieces] = await Promise.all([readStream(endpoint(1), taskId), readInPieces(taskId)]);
  const again = await readStream(endpoint(1), taskId);
  expect(pieces.cuts).toBe(10);
  expectContiguous(pieces.params, 0);
  expect(foldTranscript(whole.params)).toEqual(TREE);
  expect(foldTranscript(pieces.params)).toEqual(TREE);
  expect(foldTranscript(again.params)).toEqual(TREE);
  expect(pieces.params).toEqual(whole.params);

  // The tree shows every one of its events: without one, or with one twice, it is another.
  const folded = (events: readonly string[]) => {
    try {
      return foldTranscript(events);
    } catch (error) {
      return String(error);
    }
  };
  const own = whole.params.flatMap((text, i) => (text.includes('"type":"com.example.') ? [i] : []));
  expect(own.length).toBeGreaterThan(50);
  for (const i of own) {
    expect(folded(whole.params.toSpliced(i, 1))).not.toEqual(TREE);
    expect(folded(whole.params.toSpliced(i, 0, whole.params[i]!))).not.toEqual(TREE);
  }
});
