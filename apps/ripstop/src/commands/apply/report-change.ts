// What a change did, and how far it has come: text as it happens, or one JSON or YAML document at the end.

import type { ControlApi } from "@ripstop/agent-engine";
import type { ApplyResponse, LiveStatus } from "@ripstop/model";
import { exitCodes } from "../../exit-codes.ts";
import { count, printFailure } from "../../output/failure.ts";
import { formatOutput, type OutputFormat } from "../../output/format.ts";
import { unknownLines } from "../../output/unknown-replicas.ts";
import { waitUntilLive } from "./wait-until-live.ts";

/** How to report. */
export interface ReportOptions {
  readonly output: OutputFormat;
  readonly wait: boolean;
  /** Longest wait in milliseconds. */
  readonly timeout: number;
  readonly dryRun: boolean;
}

/** Prints the changes, and with `wait` how far they have come; the exit code. */
export async function reportChange(api: ControlApi, response: ApplyResponse, options: ReportOptions): Promise<number> {
  const { output, wait, timeout, dryRun } = options;
  if (output === "table") process.stdout.write(describeChanges(response, dryRun));
  if (!wait || dryRun || response.revision === 0) {
    if (output !== "table") process.stdout.write(await formatOutput(output, response, () => ""));
    return exitCodes.done;
  }
  const waited = await waitUntilLive(api, response.revision, timeout);
  if (!waited.ok) return printFailure(waited.error);
  const live = waited.value;
  process.stdout.write(await formatOutput(output, { ...response, live }, () => describeLive(live)));
  const isLive = live.pending.length === 0 && live.rejected.length === 0 && live.unknown === undefined;
  return isLive ? exitCodes.done : exitCodes.failed;
}

function describeChanges({ changes }: ApplyResponse, dryRun: boolean): string {
  if (changes.length === 0) return "nothing to do: no resource in the input\n";
  return changes.map((change) => `${change.resource} ${change.action}${dryRun ? " (dry run)" : ""}\n`).join("");
}

/** "live on 12 of 12 proxies after 140 ms", and who is without it. */
export function describeLive(status: LiveStatus): string {
  const lines = [`live on ${status.live} of ${status.total} proxies after ${Math.round(status.elapsedMs)} ms`];
  for (const { proxyId, reason } of status.rejected) lines.push(`refused by ${proxyId}: ${reason}`);
  if (status.pending.length > 0) {
    const more = status.pending.length > 10 ? ` and ${count(status.pending.length - 10, "other")}` : "";
    lines.push(`still without it: ${status.pending.slice(0, 10).join(", ")}${more}`);
  }
  lines.push(...unknownLines(status.unknown));
  return `${lines.join("\n")}\n`;
}
