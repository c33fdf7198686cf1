/**
 * Event identity: a transcript that is rebuilt from a stream that was cut and resumed ten times is the one that an
 * uninterrupted reader sees.
 */
import { fileURLToPath } from 'node:url';
import {
  applyEvent,
  EMPTY_TRANSCRIPT,
  foldTranscript,
  verifyExport,
  type Transcript,
  type TranscriptItem,
} from '@taskstream/client/transcript';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { callTask, expectContiguous, readStream, seqOf } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

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

type Branch = readonly [line: string, ...children: Branch[]];

/** One line an item: everything that the events say of it. */
const branch = (item: TranscriptItem): Branch => {
  const { id, kind, agentId, name, role, toolCallId, text, begun, ended, state, parentTaskId } = item;
  expect(parentTaskId).toBe(PARENT_TASK);
  const { input } = begun ?? {};
  const { output } = ended ?? {};
  const facts = [name ?? role, toolCallId, input, output, text === '' ? undefined : text];
  const told = facts.filter((fact) => fact !== undefined).map((fact) => JSON.stringify(fact));
  return [`${kind} ${id} of ${agentId}, ${state}: ${told.join(' ')}`, ...item.children.map(branch)];
};
const treeOf = ({ roots }: Transcript): Branch[] => roots.map(branch);
const read = (params: readonly string[]): unknown[] => params.map((text) => JSON.parse(text) as unknown);

const TREE: Branch[] = [
  [
    'agent a1 of lead, finished: "lead"',
    [
      'message m1 of lead, finished: "assistant" "I will look at the licences of this repository. Meanwhile the helper reads them one by one. I wait. Two licences, both permissive."',
      ['tool t1 of lead, finished: "list_files" "call-1" {"glob":"**/LICENSE"} {"found":2}'],
      [
        'tool t2 of lead, finished: "delegate" "call-2" {"to":"helper"} {"licences":["Apache-2.0","ISC"]}',
        [
          'agent a2 of helper, finished: "helper" "call-2"',
          [
            'message m2 of helper, finished: "assistant" "The first is Apache, the second I do not know. So it is ISC."',
            [
              'tool t3 of helper, finished: "delegate" "call-3" {"to":"checker"} {"licence":"ISC"}',
              [
                'agent a3 of checker, finished: "checker" "call-3"',
                [
                  'message m3 of checker, finished: "assistant" "It is the ISC licence, word for word. "',
                  ['artifact f1 of checker, finished: "diff.txt" "- a\\n+ b\\n"'],
                ],
              ],
            ],
          ],
        ],
      ],
      ['artifact f2 of lead, finished: "report.md" "# Licences\\n"'],
    ],
  ],
];

test('a transcript is the same from one stream, from one that was cut ten times, and read again later', async () => {
  const taskId = await callTask(endpoint(0), 'transcript', { parentTaskId: PARENT_TASK, everyMs: 20 });
  const [whole, pieces] = await Promise.all([readStream(endpoint(1), taskId), readInPieces(taskId)]);
  const again = await readStream(endpoint(1), taskId);
  expect(pieces.cuts).toBe(10);
  expectContiguous(pieces.params, 0);
  for (const { params } of [whole, pieces, again]) {
    const transcript = foldTranscript(read(params));
    expect(treeOf(transcript)).toEqual(TREE);
    expect(transcript).toMatchObject({ taskId, status: 'completed', anomalies: [] });
  }
  expect(pieces.params).toEqual(whole.params);
  const text = whole.params.map((line) => `${line}\n`).join('');
  expect(await verifyExport([text])).toMatchObject({ complete: true, events: whole.params.length, taskId });

  // The tree shows every one of its events: without one it is another, or the transcript says what is missing.
  const events = read(whole.params);
  const own = whole.params.flatMap((line, i) => (line.includes('"type":"com.example.') ? [i] : []));
  expect(own.length).toBeGreaterThan(50);
  for (const i of own) {
    const without = foldTranscript(events.toSpliced(i, 1));
    expect(treeOf(without)).not.toEqual(TREE);
    expect(without.anomalies[0]).toMatchObject({ anomaly: 'gap', seq: i + 1 });
    expect(await verifyExport([text.split('\n').toSpliced(i, 1).join('\n')])).toMatchObject({ gapFree: false });
  }

  // However the stream is cut and resumed, and however often a piece comes again.
  const cuts = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, (steps) => {
      let transcript = EMPTY_TRANSCRIPT;
      let next = 0;
      for (const [length, back] of [...steps, [events.length, 0] as const]) {
        for (const event of events.slice(Math.max(0, next - back), next + length)) {
          transcript = applyEvent(transcript, event);
        }
        next = Math.min(events.length, next + length);
      }
      expect(treeOf(transcript)).toEqual(TREE);
      expect(transcript.anomalyCount).toBe(0);
    }),
    { numRuns: 100 },
  );
});
