/** What a chaos run prints. */
import type { ClientName } from './clients.js';
import type { SimulationRun } from './simulation.js';
import type { ProxyRun } from './through-proxy.js';
import type { WrongServerRow } from './wrong-servers.js';

const SHOWN_MAX = 10;

export function simulationTable(run: SimulationRun, seed: number): string {
  const counts = (of: ReadonlyMap<string, number>) =>
    [...of]
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `\n(a) Simulation: ${run.runs} runs from seed ${seed}, each twice`,
    `    faults, in so many runs: ${counts(run.used)}`,
    `    ends: ${counts(run.ends)}`,
    `    wrong: ${run.wrong.length}, other trace with the same seed: ${run.unrepeatable.length}`,
    ...run.wrong.slice(0, SHOWN_MAX).map((what) => `      ${what}`),
  ].join('\n');
}

export function proxyTable(
  run: ProxyRun,
  { era, seed, seconds, tasks }: { era: string; seed: number; seconds: number; tasks: number },
): string {
  const record = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const ms = (p: number) => `${Math.round(quantile(run.recoveriesMs, p))} ms`;
  return [
    `\n(b) Through a broken network: ${run.client}, ${era}, ${tasks} tasks, ${seconds} s, seed ${seed}`,
    `    faults: ${record(run.faults)}; reconnects: ${run.reconnects}`,
    `    events ${run.events}: lost ${run.lost}, duplicated ${run.duplicated}, differing ${run.differing}; tasks hung: ${run.hung}`,
    `    recovery: p50 ${ms(0.5)}, p99 ${ms(0.99)}, of ${run.recoveriesMs.length}`,
    ...(Object.keys(run.blamed).length > 0 ? [`    server blamed: ${record(run.blamed)}`] : []),
    ...run.complaints.slice(0, SHOWN_MAX).map((line) => `      ${line}`),
  ].join('\n');
}

export function wrongServersTable(client: ClientName, rows: readonly WrongServerRow[]): string {
  const width = Math.max(...rows.map(({ fault }) => fault.length));
  return [
    `\n(c) Wrong servers: ${client}, ${rows.length} faults`,
    ...rows.flatMap(({ fault, verdict, told, codes, wrong }) => [
      `    ${fault.padEnd(width)}  ${said(verdict, told, codes)}`,
      ...wrong.map((what) => `      WRONG: ${what}`),
    ]),
  ].join('\n');
}

function said(verdict: WrongServerRow['verdict'], told: readonly string[], codes: readonly string[]): string {
  if ('unseen' in verdict) return `not seen: ${verdict.unseen}`;
  const names = told.filter((name) => ('told' in verdict ? name === verdict.told : name === verdict.cause));
  return [...names, ...codes.map((code) => `error ${code}`)].join(', ');
}

export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}
