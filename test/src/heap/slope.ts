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
