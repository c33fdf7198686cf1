/**
 * docs/metrics.md, from what both services say of themselves when they are scraped.
 */
import { renderLimits } from './limits.js';

export interface Described {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** The metrics of ours in a scrape. */
export function describeScrape(text: string): Map<string, Described> {
  const described = new Map<string, Described>();
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (taskstream_\w+) (.*)$/gm)) {
    const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(text)?.[1] ?? '';
    described.set(name, { name, type, help });
  }
  return described;
}

/** The names that a scrape may have samples of, for queries to be held to. */
export function sampleNames(markdown: string): Set<string> {
  const names = new Set<string>();
  for (const [, name = '', type = ''] of markdown.matchAll(/^\| `(taskstream_\w+)`\s*\| (\w+)/gm)) {
    for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) names.add(name + suffix);
  }
  return names;
}

/** @param scrapes text of /metrics by service, as its label `service` says */
export function renderMetrics(scrapes: Readonly<Record<'front_end' | 'worker', string>>): string {
  const [frontEnd, worker] = [describeScrape(scrapes.front_end), describeScrape(scrapes.worker)];
  const rows = [...new Map([...frontEnd, ...worker]).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const of = ({ name }: Described) =>
    frontEnd.has(name) && worker.has(name) ? 'both' : frontEnd.has(name) ? 'front end' : 'worker';
  return [
    '# Metrics',
    '',
    'What `/metrics` of the services says, beside what Node says of its process (`process_*`, `nodejs_*`). Units are the last word of a name before `_total`. Every sample has the label `service` (`front_end` or `worker`). Written by `npm run docs:metrics`; a test holds it to the running services, and the dashboard and the alerts to it.',
    '',
    '| Metric | Type | Of | Says |',
    '|---|---|---|---|',
    ...rows.map((row) => `| \`${row.name}\` | ${row.type} | ${of(row)} | ${row.help} |`),
    '',
    'Queues and streams are read when a front end is scraped: one question to NATS for each line of a queue and one for all streams, shared by scrapes of the same second, given up after two. Without NATS a scrape is answered at once, without them. `taskstream_delivery_lag_seconds` compares the clocks of two machines.',
    '',
    ...renderLimits(),
  ].join('\n');
}
