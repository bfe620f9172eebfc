// How many proxies a control plane should ask to move, so that the streams are spread evenly over all of them.

/** What is known of the spread. */
export interface StreamSpread {
  /** Proxies that are connected here. */
  readonly own: number;
  /** Proxies that each of the others says are connected there. */
  readonly others: readonly number[];
}

/** No one moves for less than this share of an even spread above it, nor for less than two proxies. */
const TOLERANCE = 0.1;
/** Of what is too much, this share moves at a time: the others' numbers are a few seconds old. */
const AT_A_TIME = 0.5;

/** How many to move now. */
export function streamsToMove({ own, others }: StreamSpread): number {
  if (others.length === 0) return 0;
  const total = others.reduce((sum, one) => sum + one, own);
  const even = Math.ceil(total / (others.length + 1));
  const excess = own - even;
  if (excess < Math.max(1, even * TOLERANCE)) return 0;
  return Math.ceil(excess * AT_A_TIME);
}
