// Reads the files, hands them to the control plane as they are, and prints what came of it.

import { userInfo } from "node:os";
import type { ApplyRequest, ApplyResponse } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { fileUnreadable } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";
import { readDocuments } from "./read-documents.ts";
import { reportChange } from "./report-change.ts";

/** Options of `ripstop apply`. */
export interface ApplyOptions extends HomeOption, OutputOption {
  readonly wait: boolean;
  readonly timeout: number;
  readonly dryRun: boolean;
  readonly reason: string;
  readonly filename?: readonly string[];
}

/** Applies; the exit code. */
export async function apply(files: readonly string[], options: ApplyOptions): Promise<number> {
  const documents = await readDocuments(files);
  if (!documents.ok) {
    printError(fileUnreadable, documents.error);
    return exitCodes.failed;
  }
  const api = controlApi(options);
  const body: ApplyRequest = {
    documents: documents.value,
    author: author(),
    reason: options.reason,
    dryRun: options.dryRun,
  };
  const answer = await api.call<ApplyResponse>("POST", "/v1/apply", body, 60_000);
  if (!answer.ok) return printFailure(answer.error);
  return reportChange(api, answer.value, options);
}

/** Who is written into the revision. */
export function author(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
