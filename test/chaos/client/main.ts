/**
 * `npm run chaos:client`: tries to make the clients lose something, prints what happened, and fails if they did.
 *
 * (a) the state machine against a model server, seeded; (b) real processes through a network that breaks at random;
 * (c) servers that are wrong on purpose.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { CLIENTS, ERAS } from './clients.js';
import { proxyTable, simulationTable, wrongServersTable } from './report.js';
import { runSimulation } from './simulation.js';
import { isClean, runThroughProxy } from './through-proxy.js';
import { tryWrongServers } from './wrong-servers.js';

const PARTS = ['simulation', 'proxy', 'servers'] as const;
const HELP = `npm run chaos:client -- [options]

  --only PARTS     Parts to run, separated by commas: ${PARTS.join(', ')}
  --client NAMES   ${CLIENTS.join(', ')}, separated by commas. Default: all of them
  --era ERA        ${ERAS.join(' or ')}. Default: the newer one
  --seed N         Default: 1
  --runs N         Seeds of the simulation. Default: 20000
  --seconds N      How long the network is broken. Default: 60
  --tasks N        Default: 50
  --help`;

const list = <T extends string>(values: readonly [T, ...T[]], text: string) =>
  z
    .string()
    .default(text)
    .transform((given) => given.split(','))
    .pipe(z.array(z.enum(values)));
const count = (value: number) => z.coerce.number().pipe(z.int().positive()).default(value);
const Options = z.object({
  only: list(PARTS, PARTS.join(',')),
  client: list(CLIENTS, CLIENTS.join(',')),
  era: z.enum(ERAS).default(ERAS[0]),
  seed: count(1),
  runs: count(20_000),
  seconds: count(60),
  tasks: count(50),
});

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      only: text,
      client: text,
      era: text,
      seed: text,
      runs: text,
      seconds: text,
      tasks: text,
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const parsed = Options.safeParse(values);
  if (!parsed.success) {
    process.stderr.write(`${z.prettifyError(parsed.error)}\n\n${HELP}\n`);
    return 2;
  }
  const { only, client: clients, era, seed, runs, seconds, tasks } = parsed.data;
  let bad = false;
  if (only.includes('simulation')) {
    const run = runSimulation(seed, runs);
    process.stdout.write(`${simulationTable(run, seed)}\n`);
    bad ||= run.wrong.length + run.unrepeatable.length > 0;
  }
  if (only.includes('servers')) {
    for (const client of clients) {
      const rows = await tryWrongServers(client);
      process.stdout.write(`${wrongServersTable(client, rows)}\n`);
      bad ||= rows.some(({ wrong }) => wrong.length > 0);
    }
  }
  if (only.includes('proxy')) {
    for (const client of clients) {
      const run = await runThroughProxy({ client, era, seed, seconds, tasks, everyMs: 100 });
      process.stdout.write(`${proxyTable(run, { era, seed, seconds, tasks })}\n`);
      bad ||= !isClean(run);
    }
  }
  process.stdout.write(
    `${bad ? 'The client lost something, or said something wrong: see above.' : 'Nothing was lost.'}\n`,
  );
  return bad ? 1 : 0;
}

process.exitCode = await main();
