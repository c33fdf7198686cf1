/**
 * `npm run bench`: measures on real processes and prints every figure beside the limit of the bare client.
 *
 * A missed target does not fail a run; a figure that could not be measured does.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { measureAppends } from './append.js';
import { measureCapacity } from './capacity.js';
import { measureCancels } from './cancel.js';
import { PARTS, PAYLOAD_BYTES, type Part } from './figure.js';
import { FULL, QUICK, type Scale } from './scale.js';
import { measureLive } from './live.js';
import { measureMemory } from './memory.js';
import { measureMoves } from './move.js';
import { measureReplays } from './replay.js';
import { rowsOf, tableOf, type Row, type Values } from './report.js';
import { measureRequests } from './requests.js';
import { measureResumes } from './resume.js';
import { measureSweeps } from './sweep.js';
import { measureTracing } from './tracing.js';
import { measureWorkers } from './workers.js';

const HELP = `npm run bench -- [options]

  --only PARTS   Parts to run, separated by commas: ${PARTS.join(', ')}
  --nodes N      nat-servers: 1 (default), or 3 with every stream on all of them
  --quick        Small sizes and short times: shows that all works, its figures mean nothing
  --json FILE    Writes the figures there too
  --help`;

const MEASURES: Readonly<Record<Part, (scale: Scale, nodes: 1 | 3) => Promise<Values>>> = {
  append: measureAppends,
  live: measureLive,
  resume: measureResumes,
  replay: measureReplays,
  memory: measureMemory,
  capacity: measureCapacity,
  cancel: measureCancels,
  requests: measureRequests,
  workers: measureWorkers,
  sweep: measureSweeps,
  move: measureMoves,
  tracing: measureTracing,
};

const Options = z.object({
  only: z
    .string()
    .default(PARTS.join(','))
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(PARTS))),
  nodes: z
    .enum(['1', '3'])
    .default('1')
    .transform((text) => (text === '3' ? 3 : 1)),
  quick: z.boolean().default(false),
  json: z.string().min(1).optional(),
  help: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

function readOptions(): Options | string {
  let values: unknown;
  try {
    values = parseArgs({
      options: {
        only: { type: 'string' },
        nodes: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const options = Options.safeParse(values);
  if (options.success) return options.data;
  return options.error.issues.map((issue) => `--${issue.path.map(String).join('.')}: ${issue.message}`).join('\n');
}

async function run(options: Options): Promise<Row[]> {
  const scale = options.quick ? QUICK : FULL;
  const values: Record<string, number> = {};
  for (const part of options.only) {
    process.stderr.write(`${part} …`);
    const startedAt = performance.now();
    Object.assign(values, await MEASURES[part](scale, options.nodes));
    process.stderr.write(` ${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n`);
  }
  return rowsOf(options.only, values, scale);
}

const options = readOptions();
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${HELP}\n`);
  process.exitCode = 2;
} else if (options.help) {
  process.stdout.write(`${HELP}\n`);
} else {
  const ground = {
    node: process.version,
    cores: availableParallelism(),
    natsServers: options.nodes,
    replicas: options.nodes,
    payloadBytes: PAYLOAD_BYTES,
    quick: options.quick,
  };
  const rows = await run(options);
  process.stdout.write(
    `Node ${ground.node}, ${ground.cores} cores, ${ground.natsServers} nats-server${ground.natsServers === 1 ? '' : 's'} ` +
      `(${ground.replicas} replica${ground.replicas === 1 ? '' : 's'}, file storage), payloads of ${PAYLOAD_BYTES} B\n` +
      `${ground.quick ? 'QUICK RUN: these figures mean nothing\n' : ''}\n${tableOf(rows)}\n`,
  );
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ ground, rows }, null, 2)}\n`);
}
