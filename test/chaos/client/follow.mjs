/**
 * The TypeScript client as a command, for the chaos run: follows tasks, prints one JSON line an event, and one with the
 * outcome of each task. `--cursor-file` is not used: a follow runs from the first event to the last.
 */
import { parseArgs } from 'node:util';
import { followTask } from '@taskstream/client';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: 'string', multiple: true }, era: { type: 'string' }, limits: { type: 'string' } },
});
const limits = JSON.parse(values.limits ?? '{}');
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function follow(taskId) {
  const run = followTask(taskId, {
    endpoints: values.url ?? [],
    ...(values.era !== undefined && { revision: values.era }),
    limits,
    onNotice: (notice) => process.stderr.write(`${JSON.stringify(notice)}\n`),
  });
  for await (const item of run) print(item.type === 'event' ? item.event : { taskId, gap: [item.from, item.to] });
  print({ taskId, outcome: await run.outcome });
}

await Promise.all(positionals.map((taskId) => follow(taskId)));
