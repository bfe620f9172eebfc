// Revokes, waits for the proxies, says how far it came.

import type { RevokeRequest, RevokeResponse } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";
import { reportRevocation } from "../report-revocation.ts";
import { revocationTarget } from "../revocation-target.ts";

/** Options of `ripstop identity revoke`. */
export interface RevokeOptions extends HomeOption, OutputOption {
  readonly serial?: string;
  readonly reason: string;
  readonly timeout: number;
}

/** Revokes; the exit code: 1 when a connected proxy has not acknowledged in time. */
export async function revoke(name: string | undefined, options: RevokeOptions): Promise<number> {
  const api = controlApi(options);
  const target = await revocationTarget(name, options.serial, api);
  if (typeof target === "number") return target;
  const waitMs = Math.min(options.timeout, 60_000);
  const body: RevokeRequest = { ...target, reason: options.reason, waitMs };
  const answer = await api.call<RevokeResponse>("POST", "/v1/identity/revocations", body, waitMs + 5_000);
  if (!answer.ok) return printFailure(answer.error);
  return reportRevocation("revoked", answer.value, options.output);
}
