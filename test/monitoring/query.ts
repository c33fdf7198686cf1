/** What a PromQL query names, and where its grammar is wrong. */
import { parser } from '@prometheus-io/lezer-promql';

export function readQuery(query: string): { readonly errors: readonly number[]; readonly metrics: readonly string[] } {
  const errors: number[] = [];
  const metrics: string[] = [];
  parser.parse(query).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) errors.push(from);
      if (type.name === 'Identifier' && node.parent?.type.name === 'VectorSelector')
        metrics.push(query.slice(from, to));
    },
  });
  return { errors, metrics };
}
