// Asks for the audit log and prints it.

import type { AuditEntry, AuditPage } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";
import { ASK_ALL_MS, printUnknown, shortReplica } from "../../output/unknown-replicas.ts";

/** Options of `ripstop audit`. */
export interface AuditOptions extends HomeOption, OutputOption {
  readonly refused: boolean;
  readonly limit: number;
}

const SHOWN_RESOURCES = 3;

/** Prints; the exit code. */
export async function audit(options: AuditOptions): Promise<number> {
  const path = `/v1/audit?limit=${options.limit}&refused=${options.refused}`;
  const answer = await controlApi(options).call<AuditPage>("GET", path, undefined, ASK_ALL_MS);
  if (!answer.ok) return printFailure(answer.error);
  const { entries, unknown } = answer.value;
  process.stdout.write(await formatOutput(options.output, entries, () => auditTable(entries)));
  printUnknown(unknown, "its entries are missing");
  return exitCodes.done;
}

function auditTable(entries: readonly AuditEntry[]): string {
  if (entries.length === 0) return "no entries\n";
  return formatTable(
    [
      { title: "time", cell: (entry: AuditEntry) => new Date(entry.timeMs).toISOString() },
      { title: "who", cell: ({ caller, by }) => (caller === "" ? `(${by})` : caller) },
      { title: "from", cell: ({ from }) => (from === "" ? "-" : from) },
      { title: "what", cell: ({ action }) => action },
      ...(entries.some(({ replica }) => replica !== undefined)
        ? [{ title: "control plane", cell: ({ replica = "" }: AuditEntry) => shortReplica(replica) }]
        : []),
      { title: "decision", cell: ({ decision, code }) => (code === "" ? decision : `${decision} ${code}`) },
      { title: "revision", cell: ({ revision }) => (revision === 0 ? "-" : String(revision)), right: true },
      { title: "resources", cell: ({ resources }) => shortened(resources) },
      { title: "why", cell: ({ message }) => message.slice(0, 100) },
    ],
    entries,
  );
}

function shortened(resources: readonly string[]): string {
  const more = resources.length - SHOWN_RESOURCES;
  return `${resources.slice(0, SHOWN_RESOURCES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
