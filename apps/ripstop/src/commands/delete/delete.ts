// Deletes resources one after the other; stops at the first that cannot be deleted.

import type { ApplyResponse } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { resourcePath } from "../../kinds.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { author } from "../apply/apply.ts";
import { reportChange } from "../apply/report-change.ts";

/** Options of `ripstop delete`. */
export interface DeleteOptions extends HomeOption, OutputOption {
  readonly namespace: string;
  readonly wait: boolean;
  readonly timeout: number;
  readonly reason: string;
}

/** Deletes; the exit code. */
export async function deleteResources(kind: string, names: readonly string[], options: DeleteOptions): Promise<number> {
  const api = controlApi(options);
  const query = new URLSearchParams({ author: author(), reason: options.reason }).toString();
  const changes: ApplyResponse["changes"][number][] = [];
  let revision = 0;
  for (const name of names) {
    const path = `${resourcePath(kind, options.namespace, name)}?${query}`;
    // oxlint-disable-next-line no-await-in-loop -- in the order of the command line
    const answer = await api.call<ApplyResponse>("DELETE", path);
    if (!answer.ok) {
      const done = changes.map((change) => `${change.resource} ${change.action}\n`).join("");
      process.stdout.write(done);
      return printFailure(answer.error);
    }
    revision = answer.value.revision;
    changes.push(...answer.value.changes);
  }
  return reportChange(api, { revision, changes }, { ...options, dryRun: false });
}
