// Prints the comparison of mirrors.

import type { MirrorList, MirrorView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";
import { printUnknown } from "../../output/unknown-replicas.ts";

/** Options of `ripstop mirror status`. */
export interface MirrorStatusOptions extends HomeOption, OutputOption {}

/** Prints; the exit code. */
export async function showMirrors(options: MirrorStatusOptions): Promise<number> {
  const answer = await controlApi(options).call<MirrorList>("GET", "/v1/mirrors");
  if (!answer.ok) return printFailure(answer.error);
  const rows = answer.value.mirrors;
  process.stdout.write(await formatOutput(options.output, rows, () => tableOf(rows)));
  printUnknown(answer.value.unknown, "what its proxies compared is missing");
  return exitCodes.done;
}

function tableOf(rows: readonly MirrorView[]): string {
  if (rows.length === 0) return "no request was mirrored\n";
  return formatTable(
    [
      { title: "caller", cell: (row: MirrorView) => row.source },
      { title: "service", cell: (row) => row.primary },
      { title: "mirror", cell: (row) => row.mirror },
      { title: "compared", cell: (row) => String(row.compared), right: true },
      { title: "other status", cell: (row) => share(row.statusDiffers, row.compared), right: true },
      { title: "other body", cell: (row) => share(row.bodiesDiffer, row.bodiesCompared), right: true },
      { title: "failed", cell: (row) => pair(row.primaryFailures, row.mirrorFailures), right: true },
      { title: "p50 ms", cell: (row) => pair(row.primaryP50Ms, row.mirrorP50Ms), right: true },
      { title: "p99 ms", cell: (row) => pair(row.primaryP99Ms, row.mirrorP99Ms), right: true },
    ],
    rows,
  );
}

function share(part: number, whole: number): string {
  return whole === 0 ? "-" : `${part} of ${whole}`;
}

/** The service, then the mirror. */
function pair(service: number, mirror: number): string {
  const short = (value: number): string => String(Math.round(value * 10) / 10);
  return `${short(service)} / ${short(mirror)}`;
}
