// Waits until every proxy that a revision concerns has it in force, at whichever control plane it is.

import { holdProcess, ok, sleep, systemClock, type Result } from "@ripstop/core";
import type { ApiFailure, ControlApi } from "@ripstop/agent-engine";
import type { LiveStatus } from "@ripstop/model";
import { ASK_ALL_MS } from "../../output/unknown-replicas.ts";

/** Longest time that one question waits at the control plane. */
const ONE_WAIT_MS = 5_000;
const ASK_AGAIN_MS = 250;

/** How far the revision is when nobody is pending and no control plane's proxies are unknown any more, or after `timeoutMs`. */
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
      // oxlint-disable no-await-in-loop -- each question waits for the next state
      const answer = await api.call<LiveStatus>("GET", path, undefined, waitMs + ASK_ALL_MS);
      if (!answer.ok) return answer;
      const { pending, unknown = [] } = answer.value;
      if ((pending.length === 0 && unknown.length === 0) || leftMs === 0) return ok(answer.value);
      // What does not answer is asked again, but not all the time.
      if (unknown.length > 0) await sleep(systemClock, Math.min(ASK_AGAIN_MS, leftMs));
      // oxlint-enable no-await-in-loop
    }
  } finally {
    hold.clear();
  }
}
