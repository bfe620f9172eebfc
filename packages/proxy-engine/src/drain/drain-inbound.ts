// The end of inbound service: peers are told to send no more, what is under way finishes, the rest is cut at the deadline.

import type { Clock } from "@ripstop/core";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";

const CHECK_MS = 50;

/** Kept when nothing inbound is under way any more, or at the deadline. */
export function drainInbound(workloads: readonly HostedWorkload[], clock: Clock, deadlineMs: number): Promise<void> {
  for (const workload of workloads) for (const session of workload.inboundSessions) session.shutdown();
  const endMs = clock.monotonicMs() + deadlineMs;
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.clear();
      for (const workload of workloads) for (const session of [...workload.inboundSessions]) session.conn.destroy();
      resolve();
    };
    const check = (): void => {
      const busy = workloads.some((workload) => [...workload.inboundSessions].some((session) => !session.idle));
      if (!busy || clock.monotonicMs() >= endMs) finish();
    };
    const timer = clock.every(CHECK_MS, check);
    queueMicrotask(check);
  });
}
