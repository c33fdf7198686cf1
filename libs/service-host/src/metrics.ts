/**
 * Metrics of one service on a registry of its own.
 *
 * Invariants: no global registry; every metric has a help text and carries its unit in its name; every sample is
 * labelled with the service.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const PREFIX = 'taskstream_';
const NAME = /^[a-z][a-z0-9_]*[a-z0-9]$/;

/** `none` is for counts of what the name says, such as `open_streams`. */
export type MetricUnit = 'seconds' | 'bytes' | 'ratio' | 'none';

export interface MetricOptions<Label extends string> {
  /** Without prefix, unit and `_total`, for example `append_duration`. */
  readonly name: string;
  readonly unit: MetricUnit;
  readonly help: string;
  readonly labels?: readonly Label[] | undefined;
}

export interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  /** Called at each scrape; sets the value from where it lives. */
  readonly collect?: ((gauge: Gauge<Label>) => void | Promise<void>) | undefined;
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds in the unit of the name. */
  readonly buckets: readonly number[];
}

export interface Metrics {
  readonly registry: Registry;
  /** Named `taskstream_<name>[_<unit>]_total`. */
  readonly counter: <Label extends string = never>(options: MetricOptions<Label>) => Counter<Label>;
  /** Named `taskstream_<name>[_<unit>]`. */
  readonly gauge: <Label extends string = never>(options: GaugeOptions<Label>) => Gauge<Label>;
  /** Named `taskstream_<name>[_<unit>]`. */
  readonly histogram: <Label extends string = never>(options: HistogramOptions<Label>) => Histogram<Label>;
}

export function createMetrics(options: {
  readonly service: string;
  /** Process and event-loop metrics of Node; true unless told. */
  readonly processMetrics?: boolean | undefined;
}): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });

  return {
    registry,
    counter: (metric) => new Counter({ ...common(metric, registry), name: `${fullName(metric)}_total` }),
    gauge: <Label extends string>(metric: GaugeOptions<Label>) => {
      const { collect } = metric;
      return new Gauge<Label>({
        ...common(metric, registry),
        ...(collect !== undefined && {
          collect(this: Gauge<Label>) {
            return collect(this);
          },
        }),
      });
    },
    histogram: (metric) => new Histogram({ ...common(metric, registry), buckets: [...metric.buckets] }),
  };
}

/**
 * Counts how often a limit kept something from being done; `limit` is its key in the configuration. `slowed`: it waited,
 * went behind others, or was left out because a later one says more.
 */
export function countLimits(metrics: Metrics): (limit: string, how?: 'slowed') => void {
  const hits = metrics.counter({
    name: 'limits_hit',
    unit: 'none',
    help: 'Requests, events or attempts that a limit kept back, by its key in the configuration; draining: by a shutdown',
    labels: ['limit'],
  });
  const slowed = metrics.counter({
    name: 'limits_slowed',
    unit: 'none',
    help: 'What a limit made wait, put behind others or left out for a later one, by its key; ordinary under load',
    labels: ['limit'],
  });
  return (limit, how) => (how === 'slowed' ? slowed : hits).inc({ limit });
}

function common<Label extends string>(metric: MetricOptions<Label>, registry: Registry) {
  if (metric.help.trim() === '') throw new TypeError(`Metric ${metric.name} has no help text`);
  return {
    name: fullName(metric),
    help: metric.help,
    labelNames: [...(metric.labels ?? [])],
    registers: [registry],
  };
}

function fullName(metric: MetricOptions<string>): string {
  const { name, unit } = metric;
  const doubled = name.startsWith(PREFIX) || name.endsWith('_total') || name.endsWith(`_${unit}`);
  if (!NAME.test(name) || doubled) {
    throw new TypeError(`Metric name ${name}: expected lower_snake_case without prefix, unit and _total`);
  }
  return PREFIX + (unit === 'none' ? name : `${name}_${unit}`);
}
