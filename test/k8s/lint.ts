/**
 * The semantic lint: rules that no schema knows. Constants come from the code, the Dockerfile and the objects.
 */
import type { Cluster } from './cluster.js';
import { lintNats } from './lint-nats.js';
import { lintPods } from './lint-pods.js';
import { lintScaling } from './lint-scaling.js';
import { lintConfiguration, lintReferences } from './lint-services.js';
import type { Facts, Say } from './rule.js';

export function lint(cluster: Cluster, facts: Facts): string[] {
  const faults: string[] = [];
  const say: Say = (rule, where, fault) => void faults.push(`${rule}: ${where}: ${fault}`);
  lintReferences(cluster, say);
  lintConfiguration(cluster, say);
  lintPods(cluster, say);
  lintNats(cluster, say);
  lintScaling(cluster, facts, say);
  return faults;
}
