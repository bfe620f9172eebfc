// How a limit is shared out among those who ask for it. Pure.

/**
 * The smallest part that each participant keeps, together: one that asks for nothing now may ask in the next second, and
 * must not be refused outright until then.
 */
const RESERVE = 0.02;

/**
 * Parts of a limit (they sum up to 1), in the order of `demands`; a demand is a part of the limit too, 0 or more, and
 * may sum up to anything. Who asks for little gets all of it; the rest is shared evenly by those who ask for more than
 * that (max-min fairness, by progressive filling). What nobody asks for is shared evenly on top.
 */
export function shareOut(demands: readonly number[]): number[] {
  const count = demands.length;
  if (count === 0) return [];
  const floor = RESERVE / count;
  const wanted = demands.map((demand) => Math.max(demand, floor));
  const order = wanted.map((demand, at) => ({ demand, at })).sort((a, b) => a.demand - b.demand);
  const shares = Array.from(demands, () => 0);
  let left = 1;
  for (const [done, { demand, at }] of order.entries()) {
    const share = Math.min(demand, left / (count - done));
    shares[at] = share;
    left -= share;
  }
  const extra = Math.max(0, left) / count;
  return shares.map((share) => share + extra);
}
