// Deletes resources one after the other; stops at the first that cannot be deleted.

import type { ApplyResponse } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import { resourcePath } from "../../kinds.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { author } from "../apply/apply.ts";
import { waitUntilLive } from "../apply/wait-until-live.ts";

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
  let revision = 0;
  for (const name of names) {
    const query = new URLSearchParams({ author: author(), reason: options.reason });
    // oxlint-disable-next-line no-await-in-loop -- in the order of the command line
    const answer = await api.call<ApplyResponse>(
      "DELETE",
      `${resourcePath(kind, options.namespace, name)}?${query.toString()}`,
    );
    if (!answer.ok) return printFailure(answer.error);
    revision = answer.value.revision;
    const text = (): string => answer.value.changes.map((change) => `${change.resource} ${change.action}\n`).join("");
    // oxlint-disable-next-line no-await-in-loop -- in the order of the command line
    process.stdout.write(await formatOutput(options.output, answer.value, text));
  }
  return options.wait && revision > 0 ? waitUntilLive(api, revision, options) : exitCodes.done;
}
