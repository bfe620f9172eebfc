// Waits until every proxy that a revision concerns has it in force.

import { holdProcess, ok, systemClock, type Result } from "@ripstop/core";
import type { ApiFailure, ControlApi } from "@ripstop/agent-engine";
import type { LiveStatus } from "@ripstop/model";

/** Longest time that one question waits at the control plane. */
const ONE_WAIT_MS = 5_000;

/** How far the revision is when nobody is pending any more, or after `timeoutMs`. */
export async function waitUntilLive(
  api: ControlApi,
  revision: number,
  timeoutMs: number,
): Promise<Result<LiveStatus, ApiFailure>> {
  const hold = holdProcess();
  const endMs = systemClock.monotonicMs() + timeoutMs;
  try {
    for (;;) {
      const leftMs = Math.max(0, Math.round(endMs - systemClock.monotonicMs()));
      const waitMs = Math.min(ONE_WAIT_MS, leftMs);
      const path = `/v1/revisions/${revision}/live?waitMs=${waitMs}`;
      // oxlint-disable-next-line no-await-in-loop -- each question waits for the next state
      const answer = await api.call<LiveStatus>("GET", path, undefined, waitMs + 10_000);
      if (!answer.ok) return answer;
      if (answer.value.pending.length === 0 || leftMs === 0) return ok(answer.value);
    }
  } finally {
    hold.clear();
  }
}
