// Asks for a rollback and reports it as an apply is reported.

import type { ApplyResponse, RollbackRequest } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { author } from "../apply/apply.ts";
import { reportChange } from "../apply/report-change.ts";

/** Options of `ripstop rollback`. */
export interface RollbackOptions extends HomeOption, OutputOption {
  readonly to: number;
  readonly namespace: string;
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly timeout: number;
  readonly reason: string;
}

/** Rolls back; the exit code. */
export async function rollback(
  kind: string | undefined,
  name: string | undefined,
  options: RollbackOptions,
): Promise<number> {
  if (kind !== undefined && name === undefined) {
    process.stderr.write("ripstop: give kind and name of one resource, or neither for the whole mesh\n");
    return exitCodes.usage;
  }
  const { to, namespace, dryRun, reason } = options;
  const api = controlApi(options);
  const body: RollbackRequest = {
    to,
    dryRun,
    reason,
    author: author(),
    ...(kind === undefined || name === undefined ? {} : { only: { kind, namespace, name } }),
  };
  const answer = await api.call<ApplyResponse>("POST", "/v1/rollback", body);
  if (!answer.ok) return printFailure(answer.error);
  if (answer.value.changes.length === 0 && options.output === "table") {
    process.stdout.write(`nothing to do: the resources are as they were at revision ${to}\n`);
    return exitCodes.done;
  }
  return reportChange(api, answer.value, options);
}
