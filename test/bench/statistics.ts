/** A middle and how far from it the middle half of the samples lies. */
export interface Spread {
  median: number;
  /** Lower and upper quartile. */
  low: number;
  high: number;
}

/** @throws where there is no sample. */
export function spread(samples: readonly number[]): Spread {
  return { median: quantile(samples, 0.5), low: quantile(samples, 0.25), high: quantile(samples, 0.75) };
}

/**
 * The value below which that part of the samples lies, interpolated between its neighbours.
 *
 * @param part from 0 to 1.
 * @throws where there is no sample.
 */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error('a quantile of nothing');
  return below + (above - below) * (position - Math.floor(position));
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}
