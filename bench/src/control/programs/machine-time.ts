// A clock that the processes of the benchmark share.

/** One delivery: proxy, service, the newest change in it, and when (`machineMs`). */
export type Delivery = readonly [proxy: number, service: number, sequence: number, atMs: number];

/** Milliseconds of a monotonic clock that all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
