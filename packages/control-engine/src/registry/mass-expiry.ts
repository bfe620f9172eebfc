// Which silent workloads are gone. One that falls silent is gone; many at once rather mean that the network, or the
// control plane itself, was cut off: then the last set is kept, as stale endpoints cost less than none (proxies eject
// those that really fail).

/** A workload whose lease ran out. */
export interface Silent {
  /** Monotonic time of the lease's end. */
  readonly deadlineMs: number;
}

/** Facts for the decision. */
export interface ExpiryContext<T> {
  /** All registered workloads, silent or not. */
  readonly total: number;
  readonly nowMs: number;
  /** Nobody is held longer than this. */
  readonly holdMs: number;
  /** Known to be gone for certain: its process is dead. */
  isDead(workload: T): boolean;
}

/** Up to this many are never a mass. */
const SMALL = 2;

/** Splits the silent into those that are gone and those to hold: more than half of all, and more than two, are held. */
export function massExpiry<T extends Silent>(
  silent: readonly T[],
  context: ExpiryContext<T>,
): { readonly gone: readonly T[]; readonly held: readonly T[] } {
  const gone: T[] = [];
  const doubtful: T[] = [];
  for (const workload of silent) {
    const overdue = context.nowMs - workload.deadlineMs >= context.holdMs;
    if (overdue || context.isDead(workload)) gone.push(workload);
    else doubtful.push(workload);
  }
  const remaining = context.total - gone.length;
  if (doubtful.length > SMALL && doubtful.length * 2 > remaining) return { gone, held: doubtful };
  return { gone: [...gone, ...doubtful], held: [] };
}
