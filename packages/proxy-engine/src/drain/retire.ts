// The end of a proxy process that another one has replaced: its connections are led to their end, none is cut before the
// deadline. HTTP/1.1 answers say "connection: close", HTTP/2 gets GOAWAY in two steps, tunnels go on.

import type { Clock } from "@ripstop/core";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { HttpSession } from "../1-accept/http-session.ts";

const CHECK_MS = 50;

/** What retires. */
export interface Retiring {
  readonly workloads: readonly HostedWorkload[];
  /** Live connections of all listeners, those included of which nothing is known yet. */
  readonly connections: () => number;
  readonly clock: Clock;
  readonly deadlineMs: number;
}

/** Kept when no connection is left, or at the deadline, when those that are left are cut. Listeners are closed before. */
export function retire({ workloads, connections, clock, deadlineMs }: Retiring): Promise<void> {
  const endMs = clock.monotonicMs() + deadlineMs;
  return new Promise((resolve) => {
    const check = (): void => {
      const isOver = clock.monotonicMs() >= endMs;
      // Again and again: a connection that was silent when its listener closed becomes a session later.
      for (const session of sessionsOf(workloads)) {
        if (isOver && session.idle) session.shutdown();
        else session.retire();
      }
      if (!isOver && connections() > 0) return;
      timer.clear();
      resolve();
    };
    const timer = clock.every(CHECK_MS, check);
    queueMicrotask(check);
  });
}

function sessionsOf(workloads: readonly HostedWorkload[]): HttpSession[] {
  return workloads.flatMap((workload) => [...workload.inboundSessions, ...workload.sessions]);
}
