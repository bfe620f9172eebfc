// Asks for a backup, looks whether it is whole, and writes it.

import { readFileSync, writeFileSync } from "node:fs";

import { controlApi } from "../../api.ts";
import { backupOptionsInvalid } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption } from "../../options.ts";
import { count, printError, printFailure } from "../../output/failure.ts";

/** Options of `ripstop backup`. */
export interface BackupOptions extends HomeOption {
  readonly withKeys: boolean;
  readonly passphraseFile?: string;
}

const TIMEOUT_MS = 600_000;

/** Writes the file; the exit code. */
export async function backup(file: string, options: BackupOptions): Promise<number> {
  const passphrase = readPassphrase(options.passphraseFile);
  if (passphrase instanceof Error || options.withKeys !== (passphrase !== undefined)) {
    const message =
      passphrase instanceof Error ? passphrase.message : "--with-keys and --passphrase-file come together";
    printError(backupOptionsInvalid, message);
    return exitCodes.usage;
  }
  const body = { type: "application/json", text: JSON.stringify(passphrase === undefined ? {} : { passphrase }) };
  const answer = await controlApi(options).text("POST", "/v1/backup", body, TIMEOUT_MS);
  if (!answer.ok) return printFailure(answer.error);
  const lines = answer.value.trimEnd().split("\n");
  if (lines.at(-1)?.startsWith('{"end":true') !== true) {
    printError(backupOptionsInvalid, "the control plane ended before the backup was whole");
    return exitCodes.failed;
  }
  try {
    writeFileSync(file, answer.value, { mode: 0o600, flag: "wx" });
  } catch (error) {
    printError(backupOptionsInvalid, error instanceof Error ? error.message : file);
    return exitCodes.failed;
  }
  const resources = lines.filter((line) => line.startsWith('{"resource":')).length;
  const keys = options.withKeys ? "with the keys of the authority" : "without the keys of the authority";
  process.stdout.write(`${file}: ${count(resources, "resource")}, ${keys}\n`);
  return exitCodes.done;
}

/** The passphrase of a file; undefined without one. */
export function readPassphrase(file: string | undefined): string | undefined | Error {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    return error instanceof Error ? error : new Error(file);
  }
}
