/**
 * `npm run failover`: breaks every kind of node of a whole system, behind real load balancers, and counts what 200 readers
 * lose. Exits with 1 on any loss, with 0 and a loud word where it cannot run.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { FAULTS } from './faults.js';
import { whyNoNetwork } from './hosts.js';
import { run, type RunResult } from './run.js';
import { BALANCERS, SETTINGS, type Balancer } from './system.js';
import { quantile } from './watch.js';

const Options = z.object({
  balancers: z
    .string()
    .default(BALANCERS.join(','))
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(BALANCERS))),
  only: z.string().default(''),
  tasks: z.coerce.number().int().positive().default(20),
  readers: z.coerce.number().int().positive().default(10),
  'every-ms': z.coerce.number().int().positive().default(250),
  'drain-spread-ms': z.coerce.number().int().nonnegative().optional(),
  keep: z.string().optional(),
});

const { values } = parseArgs({
  options: {
    balancers: { type: 'string' },
    only: { type: 'string' },
    tasks: { type: 'string' },
    readers: { type: 'string' },
    'every-ms': { type: 'string' },
    'drain-spread-ms': { type: 'string' },
    keep: { type: 'string' },
  },
});
const options = Options.parse(values);

const ms = (value: number): string => Math.round(value).toLocaleString('en');

function table(balancer: Balancer, { windows }: RunResult): string {
  const head = `| ${balancer}: fault | lost | duplicates | streams that reconnected | most reconnects of one | silence p50 | p99 | max |`;
  const rows = windows.map(({ fault, report: r }) => {
    const silence = [0.5, 0.99, 1].map((share) => `${ms(quantile(r.silenceMs, share))} ms`).join(' | ');
    return `| ${fault} | ${r.lost} | ${r.duplicates} | ${r.reconnected} of ${r.streams} | ${r.reconnectsMax} | ${silence} |`;
  });
  return [head, '|---|---|---|---|---|---|---|---|', ...rows].join('\n');
}

const why = whyNoNetwork();
if (why === undefined) {
  const faults = FAULTS.filter((fault) => fault.name.includes(options.only));
  if (faults.length === 0) throw new Error(`no fault's name holds ${options.only}`);
  let whole = true;
  for (const balancer of options.balancers) {
    const result = await run({
      balancer,
      tasks: options.tasks,
      readersPerTask: options.readers,
      everyMs: options['every-ms'],
      faults,
      drainSpreadMs: options['drain-spread-ms'],
      say: (text) => void process.stderr.write(`${text}\n`),
      ...(options.keep !== undefined && { keepDir: `${options.keep}/${balancer}` }),
    });
    const readers = options.tasks * options.readers;
    const losses = result.windows.reduce((sum, { report }) => sum + report.lost + report.duplicates, 0);
    const ended = result.endings['cancelled'] === readers;
    const spreadMs = options['drain-spread-ms'];
    const spread = spreadMs === undefined ? '' : `, drain spread over ${spreadMs} ms`;
    whole &&= losses === 0 && result.acknowledgedLost === 0 && ended;
    process.stdout.write(
      `\n${readers} streams of ${options.tasks} tasks, an event every ${options['every-ms']} ms; lease ${SETTINGS.leaseMs} ms, ` +
        `heartbeat ${SETTINGS.heartbeatMs} ms${spread}.\n\n` +
        `${table(balancer, result)}\n\n` +
        `Acknowledged events that are not in the log: ${result.acknowledgedLost}. ` +
        `Readers by how they ended: ${JSON.stringify(result.endings)}.\n`,
    );
  }
  process.exitCode = whole ? 0 : 1;
} else {
  process.stderr.write(`NOT RUN: the failover test, because ${why}.\n`);
}
