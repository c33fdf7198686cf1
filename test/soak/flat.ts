/**
 * Whether a measured series stays flat. Pure.
 *
 * A run has four quarters. The first fills what is kept by right: finished tasks within their ttl, caches, heaps. So the
 * last quarter is held against the second: it may be higher by a tenth and a slack that is stated with each figure. What
 * falls is flat.
 */

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface Verdict {
  readonly start: number;
  /** Medians of the quarters. */
  readonly quarters: readonly [number, number, number, number];
  readonly max: number;
  /** Least squares over the second half. */
  readonly slopePerHour: number;
  readonly flat: boolean;
}

export const GROWTH_SHARE_MAX = 0.1;
const QUARTER_SAMPLES_MIN = 2;
const HOUR_MS = 3_600_000;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

export function slopePerHour(samples: readonly Sample[]): number {
  const n = samples.length;
  if (n < 2) return 0;
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, one) => sum + of(one), 0) / n;
  const [atMean, valueMean] = [mean((one) => one.atMs), mean((one) => one.value)];
  const covariance = mean((one) => (one.atMs - atMean) * (one.value - valueMean));
  const variance = mean((one) => (one.atMs - atMean) ** 2);
  return variance === 0 ? 0 : (covariance / variance) * HOUR_MS;
}

/** Undefined when a quarter has too few samples to tell. */
export function verdictOf(
  samples: readonly Sample[],
  fromMs: number,
  untilMs: number,
  slack: number,
): Verdict | undefined {
  const quarterMs = (untilMs - fromMs) / 4;
  const quarters = [0, 1, 2, 3].map((quarter) =>
    samples
      .filter(({ atMs }) => Math.min(3, Math.floor((atMs - fromMs) / quarterMs)) === quarter)
      .map(({ value }) => value),
  );
  if (quarters.some((values) => values.length < QUARTER_SAMPLES_MIN)) return undefined;
  const [first, second, third, last] = quarters.map(median) as [number, number, number, number];
  return {
    start: samples[0]?.value ?? Number.NaN,
    quarters: [first, second, third, last],
    max: Math.max(...samples.map(({ value }) => value)),
    slopePerHour: slopePerHour(samples.filter(({ atMs }) => atMs >= fromMs + 2 * quarterMs)),
    flat: last <= second * (1 + GROWTH_SHARE_MAX) + slack,
  };
}
