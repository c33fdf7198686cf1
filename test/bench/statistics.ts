/**
 * Summaries of samples.
 */

/** The smallest sample that at least `share` (0 to 1) of all samples do not exceed. @throws RangeError without samples */
export function percentile(samples: ReadonlyArray<number>, share: number): number {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = Float64Array.from(samples).toSorted();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

export function median(samples: ReadonlyArray<number>): number {
  return percentile(samples, 0.5);
}
