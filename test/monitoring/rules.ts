/**
 * The alert rules: from the manifest of the Prometheus operator to the file that Prometheus itself reads.
 */
import { parse, stringify } from 'yaml';
import * as z from 'zod';

const Rule = z.strictObject({
  alert: z.string().regex(/^Taskstream[A-Za-z]+$/),
  expr: z.string(),
  for: z.string(),
  labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.strictObject({ summary: z.string(), runbook_url: z.string() }),
});
const Spec = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(Rule).min(1) })).min(1),
});
const Manifest = z.looseObject({ kind: z.literal('PrometheusRule'), spec: Spec });

export type AlertRule = z.infer<typeof Rule>;

export function alertRules(manifest: string): AlertRule[] {
  return Manifest.parse(parse(manifest)).spec.groups.flatMap(({ rules }) => rules);
}

/** The text of a rule file for Prometheus. */
export function prometheusRules(manifest: string): string {
  const head = '# Written by `npm run alerts:write` from k8s/components/monitoring/rules.yaml.\n';
  return head + stringify(Manifest.parse(parse(manifest)).spec, { lineWidth: 0, singleQuote: true });
}
