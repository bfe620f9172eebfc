// How far a rotation of the root is, in words.

import type { RotationPhase, RotationStatus } from "@ripstop/model";
import { count } from "../../../output/failure.ts";
import { formatTable, printable } from "../../../output/table.ts";

const DOING: Readonly<Record<RotationPhase, string>> = {
  idle: "no rotation is under way",
  distribute: "distribute: the new root is trusted by",
  move: "move: an SVID of the new root is used by",
  withdraw: "withdraw: the old root is trusted no more by",
};
const MAX_NAMED = 3;

/** One line that changes only when something happened. */
export function progressText({ phase, passed, total, holding }: RotationStatus): string {
  if (phase === "idle") return DOING.idle;
  const named = holding.slice(0, MAX_NAMED).map(({ workloadId, reason }) => `${workloadId} (${reason})`);
  const more = holding.length > MAX_NAMED ? ` and ${holding.length - MAX_NAMED} more` : "";
  const waits = named.length === 0 ? "" : `, waiting for ${named.join(", ")}${more}`;
  return printable(`${DOING[phase]} ${passed} of ${total}${waits}`);
}

/** The whole status. */
export function statusText(status: RotationStatus): string {
  const { phase, holding, bundleSequence, signingRootSha256, newRootSha256, startedMs } = status;
  const lines = [progressText({ ...status, holding: [] })];
  lines.push(`bundle ${bundleSequence}, root ${signingRootSha256.slice(0, 16)} signs`);
  if (phase !== "idle") {
    lines.push(`new root ${newRootSha256.slice(0, 16)}, started ${new Date(startedMs).toISOString()}`);
  }
  const text = `${lines.join("\n")}\n${lastText(status)}`;
  if (holding.length === 0) return text;
  const columns = [
    { title: "held up by", cell: (row: RotationStatus["holding"][number]) => row.workloadId },
    { title: "since", cell: (row: RotationStatus["holding"][number]) => new Date(row.sinceMs).toISOString() },
    { title: "because", cell: (row: RotationStatus["holding"][number]) => row.reason },
  ];
  return `${text}\n${formatTable(columns, holding)}`;
}

/** Who will be cut off by passing the gate now. */
export function cutOffText({ phase, holding }: RotationStatus): string {
  if (holding.length === 0) return `nobody holds the phase ${phase} up: nobody is cut off\n`;
  const lines = holding.map(({ workloadId, spiffeId, reason }) => `  ${workloadId} ${spiffeId}: ${reason}`);
  return `cut off until ${holding.length === 1 ? "it comes" : "they come"} back: ${count(holding.length, "workload")}\n${printable(lines.join("\n")).replaceAll("\\x0a", "\n")}\n`;
}

function lastText({ phase, last }: RotationStatus): string {
  if (phase !== "idle" || last === undefined) return "";
  const { outcome, startedMs, finishedMs, forced } = last;
  const cut = forced.length === 0 ? "" : `, by force against ${forced.join(", ")}`;
  const took = ((finishedMs - startedMs) / 1000).toFixed(1);
  return printable(`the last one: ${outcome} on ${new Date(finishedMs).toISOString()} after ${took} s${cut}`) + "\n";
}
