// Prints what was called outside the mesh.

import type { EgressSeenView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** Options of `ripstop egress seen`. */
export interface EgressSeenOptions extends HomeOption, OutputOption {
  readonly namespace?: string;
}

/** Prints; the exit code. */
export async function showSeen(options: EgressSeenOptions): Promise<number> {
  const answer = await controlApi(options).call<{ readonly seen: readonly EgressSeenView[] }>("GET", "/v1/egress");
  if (!answer.ok) return printFailure(answer.error);
  const { namespace } = options;
  const rows = answer.value.seen.filter(
    ({ service }) => namespace === undefined || service.startsWith(`${namespace}/`),
  );
  process.stdout.write(await formatOutput(options.output, rows, () => tableOf(rows)));
  return exitCodes.done;
}

function tableOf(rows: readonly EgressSeenView[]): string {
  if (rows.length === 0) return "nothing was called outside the mesh that is not declared, or through a gateway\n";
  return formatTable(
    [
      { title: "caller", cell: (row: EgressSeenView) => row.service },
      { title: "host", cell: (row) => row.host },
      { title: "port", cell: (row) => String(row.port), right: true },
      { title: "protocol", cell: (row) => row.protocol },
      { title: "through", cell: (row) => row.gateway ?? "-" },
      { title: "calls", cell: (row) => String(row.count), right: true },
      { title: "denied", cell: (row) => String(row.denied), right: true },
      { title: "last", cell: (row) => new Date(row.lastSeenMs).toISOString().replace(/\.\d+Z$/, "Z") },
    ],
    rows,
  );
}
