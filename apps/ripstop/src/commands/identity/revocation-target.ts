// What a revocation is about, as the command line names it.

import type { ControlApi } from "@ripstop/agent-engine";
import { exitCodes } from "../../exit-codes.ts";
import { printFailure } from "../../output/failure.ts";
import { spiffeIdOf } from "./identity-argument.ts";

/** As the API wants it; an exit code when the command line was wrong, which has been said. */
export async function revocationTarget(
  name: string | undefined,
  serialNumber: string | undefined,
  api: ControlApi,
): Promise<{ readonly spiffeId: string } | { readonly serialNumber: string } | number> {
  if (name === undefined && serialNumber !== undefined) return { serialNumber };
  if (name === undefined || serialNumber !== undefined) {
    process.stderr.write("ripstop: give an identity or --serial, one of them\n");
    return exitCodes.usage;
  }
  const id = await spiffeIdOf(name, api);
  return id.ok ? { spiffeId: id.value } : printFailure(id.error);
}
