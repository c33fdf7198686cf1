/**
 * `npm run chaos:workers`: breaks workers and servers while tasks run, and shows that nothing was lost.
 *
 * Exits with 1 when anything was; the seed of a run is printed and can be given again.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { FAULTS, type FaultName } from './faults.js';
import { playScene, type SceneResult } from './scene.js';
import { playWait } from './wait-scene.js';

type SceneName = FaultName | 'wait';
const SCENES: SceneName[] = [...(Object.keys(FAULTS) as FaultName[]), 'wait'];

const HELP = `npm run chaos:workers -- [options]

  --only SCENES  Scenes to play, separated by commas: ${SCENES.join(', ')}
  --nodes N      nats-servers: 1 (default) or 3
  --seed N       Which victims, and when; a new one when absent
  --quick        A few tasks and faults
  --help`;

const Options = z.object({
  only: z
    .string()
    .default(SCENES.join(','))
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(SCENES))),
  nodes: z
    .enum(['1', '3'])
    .default('1')
    .transform((text) => (text === '3' ? 3 : 1)),
  seed: z.coerce.number().int().nonnegative().optional(),
  quick: z.boolean().default(false),
});

const LEASE_MS = 2_000;
const FULL = { workers: 4, tasks: 200, steps: 20, stepMs: 300, strikeMs: 60_000, settleMsMax: 90_000 };
const QUICK = { workers: 2, tasks: 12, steps: 4, stepMs: 100, strikeMs: 4_000, settleMsMax: 60_000 };
const FULL_WAIT = { workers: 4, slots: 10, frontEnds: 3, tasks: 1_000, passing: 100, kills: 5, settleMsMax: 90_000 };
const QUICK_WAIT = { workers: 2, slots: 4, frontEnds: 2, tasks: 60, passing: 10, kills: 1, settleMsMax: 60_000 };
const EVERY_MS: Readonly<Record<FaultName, number>> = { kill: 1_000, stop: 1_000, nats: 8_000, scale: 8_000 };

function play(name: SceneName, quick: boolean, common: { nodes: 1 | 3; seed: number; leaseMs: number }) {
  if (name === 'wait') return playWait({ ...(quick ? QUICK_WAIT : FULL_WAIT), ...common });
  const everyMs = quick ? EVERY_MS[name] / 4 : EVERY_MS[name];
  return playScene({ ...(quick ? QUICK : FULL), ...common, fault: name, everyMs });
}

let parsed: z.ZodSafeParseResult<z.infer<typeof Options>> | undefined;
try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      nodes: { type: 'string' },
      seed: { type: 'string' },
      quick: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) process.stdout.write(`${HELP}\n`);
  else parsed = Options.safeParse(values);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}\n`);
  process.exitCode = 2;
}

if (parsed?.success === false) {
  const issues = parsed.error.issues.map((issue) => `--${issue.path.map(String).join('.')}: ${issue.message}`);
  process.stderr.write(`${issues.join('\n')}\n\n${HELP}\n`);
  process.exitCode = 2;
} else if (parsed !== undefined) {
  const { only, nodes, quick, seed = Date.now() % 1_000_000 } = parsed.data;
  const results: SceneResult[] = [];
  for (const name of only) {
    process.stderr.write(`${name}, ${nodes} node${nodes === 1 ? '' : 's'}, seed ${seed} …\n`);
    results.push(await play(name, quick, { nodes, seed, leaseMs: LEASE_MS }));
  }
  const head = ['scene', 'nodes', 'faults', 'tasks', 'completed', 'attempts', 'events', 'steps again', 'lost', 's'];
  const rows = results.map((r) => [
    r.scene,
    r.nodes,
    r.hits,
    r.tasks,
    r.completed,
    r.attempts,
    r.events,
    r.stepsAgain,
    r.faults.length,
    Math.round(r.seconds),
  ]);
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  process.stdout.write(`${lines.join('\n')}\n`);
  for (const { scene, faults } of results)
    for (const one of faults.slice(0, 20)) process.stdout.write(`${scene}: ${one}\n`);
  if (results.some((r) => r.faults.length > 0)) {
    process.stdout.write(`Something was lost or wrong. Again with --seed ${seed}\n`);
    process.exitCode = 1;
  }
}
