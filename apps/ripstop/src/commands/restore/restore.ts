// Sends a backup to the control plane and shows what changed, or fills an empty home with it.

import { readFileSync } from "node:fs";

import { meshHome } from "@ripstop/agent-engine";
import type { RestoreResponse } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { backupOptionsInvalid } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption } from "../../options.ts";
import { count, printError, printFailure } from "../../output/failure.ts";
import { printable } from "../../output/table.ts";
import { author } from "../apply/apply.ts";
import { readPassphrase } from "../backup/backup.ts";
import { unifiedDiffs } from "../diff/diff.ts";

/** Options of `ripstop restore`. */
export interface RestoreOptions extends HomeOption {
  readonly dryRun: boolean;
  readonly reason?: string;
  readonly offline: boolean;
  readonly passphraseFile?: string;
}

const TIMEOUT_MS = 600_000;

/** Restores; the exit code. */
export async function restore(file: string, options: RestoreOptions): Promise<number> {
  const passphrase = readPassphrase(options.passphraseFile);
  let text: string;
  try {
    if (passphrase instanceof Error) throw passphrase;
    text = readFileSync(file, "utf8");
  } catch (error) {
    printError(backupOptionsInvalid, error instanceof Error ? error.message : file);
    return exitCodes.usage;
  }
  if (options.offline) return restoreOffline(text, passphrase, options);
  const query = new URLSearchParams({
    dryRun: String(options.dryRun),
    author: author(),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  });
  const path = `/v1/restore?${query.toString()}`;
  const answer = await controlApi(options).text("POST", path, { type: "application/x-ndjson", text }, TIMEOUT_MS);
  if (!answer.ok) return printFailure(answer.error);
  const { revision, from, revoked, changes } = JSON.parse(answer.value) as RestoreResponse;
  if (options.dryRun) process.stdout.write(await unifiedDiffs({ from, to: 0, changes }));
  for (const { resource, action } of changes) {
    process.stdout.write(printable(`${resource} ${action}${options.dryRun ? " (dry run)" : ""}`) + "\n");
  }
  const revocations = revoked === 0 ? "" : `; ${count(revoked, "revocation")} in force again`;
  const end =
    changes.length === 0 ? "nothing differs" : options.dryRun ? "nothing was changed" : `revision ${revision}`;
  process.stdout.write(`${end}${revocations}\n`);
  return exitCodes.done;
}

async function restoreOffline(
  text: string,
  passphrase: string | undefined,
  { home, dryRun }: RestoreOptions,
): Promise<number> {
  if (dryRun) {
    printError(backupOptionsInvalid, "--dry-run is for a running mesh");
    return exitCodes.usage;
  }
  const { restoreHome } = await import("@ripstop/control-engine");
  const { path } = meshHome(home, process.env);
  const restored = await restoreHome(path, text, passphrase);
  if (!restored.ok) {
    printError(restored.error.kind, restored.error.message);
    return exitCodes.failed;
  }
  const { trustDomain, revision, resources, keys } = restored.value;
  const authority = keys
    ? "its certificate authority is the old one"
    : "it gets a new certificate authority: every workload and node has to join again";
  process.stdout.write(
    `${path}: ${trustDomain} at revision ${revision}, ${count(resources, "resource")}; ${authority}\n`,
  );
  return exitCodes.done;
}
