// Takes a revocation back.

import type { RevokeResponse } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";
import { reportRevocation } from "../report-revocation.ts";
import { revocationTarget } from "../revocation-target.ts";

/** Options of `ripstop identity unrevoke`. */
export interface UnrevokeOptions extends HomeOption, OutputOption {
  readonly serial?: string;
}

/** Takes it back; the exit code. */
export async function unrevoke(name: string | undefined, options: UnrevokeOptions): Promise<number> {
  const api = controlApi(options);
  const target = await revocationTarget(name, options.serial, api);
  if (typeof target === "number") return target;
  const query = new URLSearchParams({ ...target }).toString();
  const answer = await api.call<RevokeResponse>("DELETE", `/v1/identity/revocations?${query}`, undefined, 15_000);
  if (!answer.ok) return printFailure(answer.error);
  return reportRevocation("trusted again", answer.value, options.output);
}
