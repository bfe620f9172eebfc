// Waits until every proxy that a revision concerns has it in force.

import { holdProcess, systemClock } from "@ripstop/core";
import type { ControlApi } from "@ripstop/agent-engine";
import type { LiveStatus } from "@ripstop/model";
import { exitCodes } from "../../exit-codes.ts";
import { count, printFailure } from "../../output/failure.ts";
import { formatOutput, type OutputFormat } from "../../output/format.ts";

/** Longest time that one question waits at the control plane. */
const ONE_WAIT_MS = 5_000;

/** Prints "live on 12 of 12 proxies after 140 ms"; the exit code. */
export async function waitUntilLive(
  api: ControlApi,
  revision: number,
  options: { readonly timeout: number; readonly output: OutputFormat },
): Promise<number> {
  const hold = holdProcess();
  const endMs = systemClock.monotonicMs() + options.timeout;
  try {
    for (;;) {
      const leftMs = Math.max(0, Math.round(endMs - systemClock.monotonicMs()));
      const waitMs = Math.min(ONE_WAIT_MS, leftMs);
      // oxlint-disable-next-line no-await-in-loop -- each question waits for the next state
      const answer = await api.call<LiveStatus>(
        "GET",
        `/v1/revisions/${revision}/live?waitMs=${waitMs}`,
        undefined,
        waitMs + 10_000,
      );
      if (!answer.ok) return printFailure(answer.error);
      const status = answer.value;
      const settled = status.pending.length === 0;
      if (settled || leftMs === 0) {
        // oxlint-disable-next-line no-await-in-loop -- the last turn
        process.stdout.write(await formatOutput(options.output, status, () => describe(status)));
        return settled && status.rejected.length === 0 ? exitCodes.done : exitCodes.failed;
      }
    }
  } finally {
    hold.clear();
  }
}

function describe(status: LiveStatus): string {
  const lines = [`live on ${status.live} of ${status.total} proxies after ${Math.round(status.elapsedMs)} ms`];
  for (const { proxyId, reason } of status.rejected) lines.push(`refused by ${proxyId}: ${reason}`);
  if (status.pending.length > 0) {
    const shown = status.pending.slice(0, 10).join(", ");
    lines.push(
      `still without it: ${shown}${status.pending.length > 10 ? ` and ${count(status.pending.length - 10, "other")}` : ""}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
