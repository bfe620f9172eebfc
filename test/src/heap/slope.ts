// The trend in a row of measurements.

/** One measurement. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Slope of the straight line that fits best (least squares); 0 for fewer than two different x. */
export function slope(points: readonly Point[]): number {
  const count = points.length;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / count;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / count;
  let above = 0;
  let below = 0;
  for (const { x, y } of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/**
 * How much the least value of the later half is above the least of the earlier half: what comes and goes (pooled
 * connections) does not count, what stays does. `values` in order; 0 for fewer than two.
 */
export function riseOfLeast(values: readonly number[]): number {
  const middle = Math.ceil(values.length / 2);
  const [earlier, later] = [values.slice(0, middle), values.slice(middle)];
  return later.length === 0 ? 0 : Math.min(...later) - Math.min(...earlier);
}
