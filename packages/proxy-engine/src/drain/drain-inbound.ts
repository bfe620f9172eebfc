// The end of inbound service: peers are told to send no more, what is under way or on its way finishes, the rest is cut at
// the deadline.

import type { Clock } from "@ripstop/core";
import type { HttpSession, SessionRegistry } from "../1-accept/http-session.ts";

const CHECK_MS = 50;
/**
 * A connection without a request is not over yet: requests may be on their way until its peer has answered the PING after
 * GOAWAY (RFC 9113 section 6.8), and then it ends by itself. A peer that does not answer for so many checks is gone:
 * longer than a busy machine lets a process wait for its turn.
 */
const SILENT_CHECKS = 120;

/** Whose inbound service ends. */
export interface Draining {
  readonly workloads: readonly { readonly inboundSessions: SessionRegistry }[];
  /** Live connections of the inbound listeners, those in their handshake included. */
  readonly connections: () => number;
  readonly clock: Clock;
  readonly deadlineMs: number;
}

/** Kept when every inbound connection has ended, or at the deadline. Listeners are closed before. */
export function drainInbound({ workloads, connections, clock, deadlineMs }: Draining): Promise<void> {
  const endMs = clock.monotonicMs() + deadlineMs;
  /** For how many checks each was without a request. */
  const silent = new Map<HttpSession, number>();
  /** For how many checks there was a connection in its handshake: requests come with the handshake's end. */
  let handshaking = 0;
  return new Promise((resolve) => {
    const check = (): void => {
      let busy = false;
      for (const workload of workloads) {
        for (const session of [...workload.inboundSessions]) {
          // One that was in its handshake when the drain began comes to be known later.
          if (!silent.has(session)) session.shutdown();
          const checks = session.idle ? (silent.get(session) ?? 0) + 1 : 0;
          silent.set(session, checks);
          if (checks < SILENT_CHECKS) busy = true;
        }
      }
      const known = workloads.reduce((sum, { inboundSessions }) => sum + inboundSessions.size, 0);
      handshaking = connections() > known ? handshaking + 1 : 0;
      if (handshaking > 0 && handshaking < SILENT_CHECKS) busy = true;
      if (busy && clock.monotonicMs() < endMs) return;
      timer.clear();
      for (const workload of workloads) for (const session of [...workload.inboundSessions]) session.conn.destroy();
      resolve();
    };
    const timer = clock.every(CHECK_MS, check);
    queueMicrotask(check);
  });
}
