/**
 * Alerts, runbook and dashboard: held to each other, to the metrics that exist, and to Prometheus' own tool.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createMetrics } from '@taskstream/service-host';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sampleNames } from '../integration/observability/metrics-docs.js';
import { needsProgram, runProgram } from '../support/system-binary.js';
import { alertRules, prometheusRules } from './rules.js';
import { readQuery } from './query.js';
import { HEALTHY, scenarioFaults } from './scenarios.js';

const root = new URL('../../', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), 'utf8');
const RULES = 'deploy/prometheus/rules/taskstream.yml';
const alerts = alertRules(read('k8s/components/monitoring/rules.yaml'));

const ours = sampleNames(read('docs/metrics.md'));
const node = new Set(
  (await createMetrics({ service: 'names' }).registry.getMetricsAsJSON()).map((metric) => metric.name),
);

/** What is wrong with a query: its grammar, or a metric that does not exist. */
function queryFaults(query: string): string[] {
  const { errors, metrics } = readQuery(query);
  return [
    ...errors.map((at) => `not PromQL at ${at}: ${query}`),
    ...metrics.filter((name) => !ours.has(name) && !node.has(name)).map((name) => `no such metric: ${name}`),
    ...(metrics.length === 0 ? [`names no metric: ${query}`] : []),
  ];
}

describe('queries', () => {
  it('that are wrong are seen', () => {
    expect(ours.size).toBeGreaterThan(30);
    expect(queryFaults('sum(rate(taskstream_events_delivered_total[5m]))')).toEqual([]);
    expect(queryFaults('nodejs_eventloop_lag_p99_seconds > 1')).toEqual([]);
    expect(queryFaults('sum(rate(taskstream_events_deliverd_total[5m]))')).toEqual([
      'no such metric: taskstream_events_deliverd_total',
    ]);
    expect(queryFaults('taskstream_delivery_lag_seconds')).not.toEqual([]);
    expect(queryFaults('sum by (le (rate(taskstream_open_streams[5m]))')).not.toEqual([]);
    expect(queryFaults('1 > 0')).not.toEqual([]);
  });
});

describe('alerts', () => {
  it('query metrics that exist', () => {
    expect(alerts.length).toBeGreaterThan(10);
    expect(alerts.flatMap(({ expr }) => queryFaults(expr))).toEqual([]);
  });

  it('have an entry each in the runbook, and the runbook has no other', () => {
    const entries = read('docs/runbook.md').split(/^## /m).slice(1);
    expect(entries.map((entry) => entry.split('\n')[0])).toEqual(alerts.map(({ alert }) => alert));
    alerts.forEach(({ alert, expr, annotations }, i) => {
      expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
      const entry = entries[i] ?? '';
      expect(entry).toContain(`\`${expr}\``);
      for (const part of ['**Symptom.** ', '**Meaning.** ', '**What to do.**\n\n1. '])
        expect(entry, alert).toContain(part);
    });
  });

  it('have a scenario each in which they fire, and are silent in a healthy system', () => {
    const scenarios = read('test/monitoring/alerts.promtest.yml');
    expect(scenarioFaults(alerts, scenarios)).toEqual([]);
    const [first, second, ...others] = alerts;
    if (first === undefined || second === undefined) throw new Error('no alerts');
    const unknown = { ...first, alert: 'TaskstreamUnknown' };
    const blind = { ...second, expr: 'taskstream_unknown > 0' };
    expect(scenarioFaults([unknown, blind, ...others], scenarios)).toEqual([
      'TaskstreamUnknown fires in no scenario',
      `TaskstreamUnknown is not tried in '${HEALTHY}'`,
      `${second.alert} asks for taskstream_unknown, which '${HEALTHY}' does not have`,
    ]);
  });

  it('are the same for Prometheus and for its operator', () => {
    // Rewrite it with `npm run alerts:write`.
    expect(read(RULES)).toBe(prometheusRules(read('k8s/components/monitoring/rules.yaml')));
    expect(read('k8s/components/monitoring/kustomization.yaml')).toContain('- rules.yaml');
    expect(read('docker-compose.yml')).toContain('./deploy/prometheus/rules:/etc/prometheus/rules:ro');
  });

  it('pass promtool', async (context) => {
    const promtool = needsProgram(context, 'promtool', 'prometheus');
    const said = await runProgram(promtool, ['check', 'rules', fileURLToPath(new URL(RULES, root))]);
    expect(said).toContain(`${alerts.length} rules found`);
  });

  it('fire when they should and not before, as promtool computes it', async (context) => {
    const promtool = needsProgram(context, 'promtool', 'prometheus');
    const said = await runProgram(promtool, [
      'test',
      'rules',
      fileURLToPath(new URL('alerts.promtest.yml', import.meta.url)),
    ]);
    expect(said).toContain('SUCCESS');
  });
});

const Dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.int().min(36),
  time: z.object({ from: z.string(), to: z.string() }),
  panels: z.array(
    z.object({
      id: z.int(),
      type: z.enum(['timeseries', 'stat']),
      title: z.string().min(1),
      description: z.string().min(1),
      datasource: z.object({ type: z.literal('prometheus'), uid: z.string() }),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int().positive(), h: z.int().positive() }),
      fieldConfig: z.object({ defaults: z.looseObject({ unit: z.string() }) }),
      targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string() })).min(1),
    }),
  ),
});

describe('the dashboard', () => {
  const { panels } = Dashboard.parse(JSON.parse(read('k8s/components/monitoring/dashboards/taskstream.json')));

  it('queries metrics that exist, of the data source that is provisioned', () => {
    expect(panels.length).toBeGreaterThan(10);
    expect(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => queryFaults(expr)))).toEqual([]);
    const sources = new Set(panels.map(({ datasource }) => datasource.uid));
    expect([...sources].map((uid) => `uid: ${uid}`)).toEqual(['uid: prometheus']);
    expect(read('deploy/grafana/provisioning/datasources/prometheus.yaml')).toContain('uid: prometheus');
  });

  it('has panels with ids and places of their own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});
