// Asks for the history and prints it.

import type { HistoryPage, RevisionView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** Options of `ripstop history`. */
export interface HistoryOptions extends HomeOption, OutputOption {
  readonly namespace?: string;
  readonly limit: number;
  readonly before?: number;
}

const SHOWN_CHANGES = 3;

/** Prints; the exit code. */
export async function history(
  kind: string | undefined,
  name: string | undefined,
  options: HistoryOptions,
): Promise<number> {
  const query = new URLSearchParams({ limit: String(options.limit) });
  const namespace = options.namespace ?? (name === undefined ? undefined : "default");
  const filters = { kind, namespace, name, before: options.before?.toString() };
  for (const [key, value] of Object.entries(filters)) if (value !== undefined) query.set(key, value);
  const answer = await controlApi(options).call<HistoryPage>("GET", `/v1/revisions?${query.toString()}`);
  if (!answer.ok) return printFailure(answer.error);
  process.stdout.write(await formatOutput(options.output, answer.value, () => historyTable(answer.value)));
  return exitCodes.done;
}

/** The table, and where it goes on. */
export function historyTable({ revisions, next, oldest }: HistoryPage): string {
  if (revisions.length === 0) return "no revisions found\n";
  const table = formatTable(
    [
      { title: "revision", cell: (row: RevisionView) => String(row.number), right: true },
      { title: "time", cell: (row) => new Date(row.timeMs).toISOString().replace(/\.\d+Z$/, "Z") },
      { title: "author", cell: (row) => (row.author === "" ? "-" : row.author) },
      { title: "changes", cell: describeChanges },
      { title: "reason", cell: (row) => row.reason },
    ],
    revisions,
  );
  if (next !== undefined) return `${table}more: --before ${next}\n`;
  return oldest > 0 ? `${table}revisions up to ${oldest} are not kept any more\n` : table;
}

function describeChanges({ changes }: RevisionView): string {
  const shown = changes.slice(0, SHOWN_CHANGES).map(({ resource, action }) => `${resource} ${action}`);
  const more = changes.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
