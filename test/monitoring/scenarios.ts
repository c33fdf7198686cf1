/**
 * What alerts.promtest.yml leaves untried. promtool computes the scenarios; it does not miss those that are not there.
 */
import { parse } from 'yaml';
import * as z from 'zod';
import { readQuery } from './query.js';
import type { AlertRule } from './rules.js';

/** The scenario in which every alert is silent though each of its metrics is there. */
export const HEALTHY = 'a healthy system under load';

const Scenarios = z.looseObject({
  tests: z.array(
    z.looseObject({
      name: z.string(),
      input_series: z.array(z.looseObject({ series: z.string() })).min(1),
      alert_rule_test: z.array(z.looseObject({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })).min(1),
    }),
  ),
});

export function scenarioFaults(alerts: readonly Pick<AlertRule, 'alert' | 'expr'>[], text: string): string[] {
  const { tests } = Scenarios.parse(parse(text));
  const fire = new Set(
    tests.flatMap((test) =>
      test.alert_rule_test.filter((one) => one.exp_alerts.length > 0).map((one) => one.alertname),
    ),
  );
  const healthy = tests.find(({ name }) => name === HEALTHY);
  const silent = new Set(
    (healthy?.alert_rule_test ?? []).filter((one) => one.exp_alerts.length === 0).map((one) => one.alertname),
  );
  const there = new Set((healthy?.input_series ?? []).map(({ series }) => series.split('{')[0]));
  return alerts.flatMap(({ alert, expr }) => [
    ...(fire.has(alert) ? [] : [`${alert} fires in no scenario`]),
    ...(silent.has(alert) ? [] : [`${alert} is not tried in '${HEALTHY}'`]),
    ...readQuery(expr)
      .metrics.filter((metric) => !there.has(metric))
      .map((metric) => `${alert} asks for ${metric}, which '${HEALTHY}' does not have`),
  ]);
}
