/**
 * `npm run soak`: the whole system under load and faults for a long time. Prints a table; exits with 1 on any loss,
 * duplicate, task that did not end, or figure that grows, with 0 and a loud word where it cannot run.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { whyNoNetwork } from '../failover/hosts.js';
import { judge } from './report.js';
import { soak } from './run.js';

const HELP = `npm run soak -- [options]

  --minutes N          30
  --streams N          2000: open at a time
  --tasks N            200: running at a time
  --fault-every-s N    20
  --every-ms N         4000: between two events of a task
  --task-s MIN-MAX     60-120: how long a task runs
  --ttl-s N            300: how long a task is kept, from its creation
  --seed N             1
  --out FILE           Writes the table there too
  --keep DIR           Logs and data stay there
  --help`;

const number = (value: number) => z.coerce.number().int().positive().default(value);
const Options = z.object({
  minutes: z.coerce.number().positive().default(30),
  streams: number(2_000),
  tasks: number(200),
  'fault-every-s': number(20),
  'every-ms': number(4_000),
  'task-s': z
    .string()
    .regex(/^\d+-\d+$/)
    .default('60-120')
    .transform((text) => text.split('-').map(Number) as [number, number])
    .refine(([least, most]) => least > 1 && least <= most),
  'ttl-s': number(300),
  seed: number(1),
  out: z.string().optional(),
  keep: z.string().optional(),
});

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    minutes: text,
    streams: text,
    tasks: text,
    'fault-every-s': text,
    'every-ms': text,
    'task-s': text,
    'ttl-s': text,
    seed: text,
    out: text,
    keep: text,
    help: { type: 'boolean', short: 'h' },
  },
});

const why = whyNoNetwork();
if (values.help === true) process.stdout.write(`${HELP}\n`);
else if (why === undefined) {
  const options = Options.parse(values);
  const [taskSMin, taskSMax] = options['task-s'];
  const told = {
    minutes: options.minutes,
    streams: options.streams,
    tasks: options.tasks,
    faultEveryMs: options['fault-every-s'] * 1_000,
    everyMs: options['every-ms'],
    taskMsMin: taskSMin * 1_000,
    taskMsMax: taskSMax * 1_000,
    ttlMs: options['ttl-s'] * 1_000,
    seed: options.seed,
  };
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const result = await soak({
    ...told,
    say: (line) => void process.stderr.write(`${line}\n`),
    stop: stop.signal,
    ...(options.keep !== undefined && { keepDir: options.keep }),
  });
  const { text: table, passed } = judge(result, told);
  process.stdout.write(table);
  if (options.out !== undefined) await writeFile(options.out, table);
  process.exitCode = passed ? 0 : 1;
} else {
  process.stderr.write(`NOT RUN: the soak, because ${why}.\n`);
}
