// What revoking, or taking it back, came to.

import type { RevokeResponse } from "@ripstop/model";
import { exitCodes } from "../../exit-codes.ts";
import { formatOutput, type OutputFormat } from "../../output/format.ts";
import { printable } from "../../output/table.ts";

/** Prints; the exit code: 1 when a connected proxy has not acknowledged in time. */
export async function reportRevocation(done: string, answer: RevokeResponse, output: OutputFormat): Promise<number> {
  process.stdout.write(await formatOutput(output, answer, () => reportText(done, answer)));
  return answer.pending.length === 0 ? exitCodes.done : exitCodes.failed;
}

function reportText(done: string, { revocation, total, live, pending, elapsedMs }: RevokeResponse): string {
  const what = revocation.spiffeId === "" ? `certificate ${revocation.serialNumber}` : revocation.spiffeId;
  const first = `${printable(what)} ${done}: in force on ${live} of ${total} connected proxies after ${Math.round(elapsedMs)} ms\n`;
  return pending.length === 0 ? first : `${first}not acknowledged yet by ${pending.map(printable).join(", ")}\n`;
}
