/**
 * The clients that a chaos run drives. A client is a command that follows tasks and prints NDJSON: one line with the
 * params of each event, and at last one with `outcome`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

const FOLLOW = fileURLToPath(new URL('./follow.mjs', import.meta.url));
const PYTHON_SOURCES = fileURLToPath(new URL('../../../libs/client-python/src', import.meta.url));

/** What a Python process of the clients needs. */
export const PYTHON_ENV = { PATH: process.env['PATH'], PYTHONPATH: PYTHON_SOURCES, PYTHONDONTWRITEBYTECODE: '1' };

export const CLIENTS = ['typescript', 'python', 'python-asyncio'] as const;
export type ClientName = (typeof CLIENTS)[number];
export const ERAS = ['2026-07-28', '2025-11-25'] as const;
export type Era = (typeof ERAS)[number];

/** A stream is given up after some missing heartbeats of the run's front ends. */
export const LIMITS = { backoffBaseMs: 100, backoffMaxMs: 1_000, silenceTimeoutMs: 1_500, attemptsMax: 200 };
const PYTHON = [
  'python3',
  '-m',
  'taskstream_client',
  'follow',
  '--ndjson',
  '-v',
  ...Object.entries(LIMITS).flatMap(([name, limit]) => [
    `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(limit),
  ]),
];

const SHAPES: Readonly<Record<ClientName, { readonly tasksPerProcess: number; readonly command: readonly string[] }>> =
  {
    typescript: { tasksPerProcess: 10, command: [process.execPath, FOLLOW, '--limits', JSON.stringify(LIMITS)] },
    python: { tasksPerProcess: 1, command: PYTHON },
    'python-asyncio': { tasksPerProcess: 1, command: [...PYTHON, '--asyncio'] },
  };

const Line = z.looseObject({ taskId: z.string().optional(), seq: z.int().optional(), outcome: z.unknown().optional() });
const text = z.string().optional();
/** The Python client names the type `kind`, and a fault as the `cause`. */
const Notice = z
  .looseObject({ type: text, kind: text, fault: text, cause: text })
  .refine(({ type, kind }) => (type ?? kind) !== undefined)
  .transform(({ type, kind, fault, cause }) => ({ type: type ?? kind, fault: fault ?? cause }));

/** What a client gave for one task. */
export interface Followed {
  /** Each event as it was printed. */
  readonly lines: string[];
  readonly seqs: number[];
  outcome: unknown;
}

export interface ClientRun {
  readonly followed: ReadonlyMap<string, Followed>;
  /** Faults of the server that were told, by name. */
  readonly faults: Map<string, number>;
  reconnects: number;
  /** What went to standard error and is no notice. */
  readonly complaints: string[];
  /** Resolves with the exit codes when all processes have ended. */
  readonly ended: Promise<readonly (number | null)[]>;
  kill(): void;
}

export function startClient(
  name: ClientName,
  taskIds: readonly string[],
  urls: readonly string[],
  era: Era = '2026-07-28',
): ClientRun {
  const { tasksPerProcess, command } = SHAPES[name];
  const followed = new Map<string, Followed>(taskIds.map((id) => [id, { lines: [], seqs: [], outcome: undefined }]));
  const groups = Array.from({ length: Math.ceil(taskIds.length / tasksPerProcess) }, (_, i) =>
    taskIds.slice(i * tasksPerProcess, (i + 1) * tasksPerProcess),
  );
  const run = { followed, faults: new Map<string, number>(), reconnects: 0, complaints: [] as string[] };
  const children = groups.map((group) => {
    const [file = '', ...args] = command;
    const child = spawn(file, [...args, ...group, ...urls.flatMap((url) => ['--url', url]), '--era', era], {
      env: PYTHON_ENV,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = createInterface(child.stdout).on('line', (line) => takeLine(line, followed, group));
    const err = createInterface(child.stderr).on('line', (line) => takeNotice(line, run));
    const ended = Promise.all([once(child, 'exit'), once(out, 'close'), once(err, 'close')]);
    return { child, ended: ended.then(([[code]]) => code as number | null) };
  });
  return Object.assign(run, {
    ended: Promise.all(children.map(({ ended }) => ended)),
    kill: () => {
      for (const { child } of children) child.kill('SIGKILL');
    },
  });
}

function takeLine(line: string, followed: ReadonlyMap<string, Followed>, group: readonly string[]): void {
  const { taskId = group[0] ?? '', seq, outcome } = Line.parse(JSON.parse(line));
  const task = followed.get(taskId);
  if (task === undefined) throw new Error(`a line for a task that was not asked for: ${line.slice(0, 200)}`);
  if (outcome !== undefined) task.outcome = outcome;
  else if (seq !== undefined) {
    task.lines.push(line);
    task.seqs.push(seq);
  }
}

function takeNotice(line: string, run: Pick<ClientRun, 'faults' | 'reconnects' | 'complaints'>): void {
  let notice: z.infer<typeof Notice>;
  try {
    notice = Notice.parse(JSON.parse(line));
  } catch {
    run.complaints.push(line);
    return;
  }
  if (notice.type === 'reconnecting') run.reconnects += 1;
  if (notice.type === 'protocol-fault') {
    const fault = notice.fault ?? 'unnamed';
    run.faults.set(fault, (run.faults.get(fault) ?? 0) + 1);
  }
}
