// How a command says that it failed: what, why, what to do; and the exit code for it.

import type { ApiFailure } from "@ripstop/agent-engine";
import type { ErrorKind } from "@ripstop/core";
import { exitCodes } from "../exit-codes.ts";
import { printable } from "./table.ts";

/** Prints an error of a kind with the facts of this occurrence. */
export function printError(kind: ErrorKind, message: string): void {
  process.stderr.write(`ripstop: ${kind.title} (${kind.code}): ${printable(message)}\n  ${kind.remedy}\n`);
}

/** Prints the failure, all its violations included; the exit code for it. */
export function printFailure(failure: ApiFailure): number {
  const { code, title, message, remedy, violations = [] } = failure.error;
  if (violations.length === 0) {
    process.stderr.write(`ripstop: ${title} (${code}): ${printable(message)}\n  ${printable(remedy)}\n`);
  }
  for (const violation of violations) {
    const { source } = violation;
    const place = source === undefined ? violation.resource : `${source.file}:${source.line}:${source.column}`;
    const parts = [`${place} ${violation.path} — ${sentence(violation.message)}`, sentence(violation.remedy)];
    process.stderr.write(`${printable(parts.join(" ").trimEnd())}\n`);
  }
  if (violations.length > 0) {
    const files = new Set(violations.map((violation) => violation.source?.file)).size;
    process.stderr.write(
      `${count(violations.length, "violation")} in ${count(files, "file")}; nothing was applied (${code})\n`,
    );
    return exitCodes.invalid;
  }
  return failure.status === 0 ? exitCodes.unreachable : exitCodes.failed;
}

/** "1 file", "2 files". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** With a capital (unless it begins with a quoted name) and a full stop. */
export function sentence(text: string): string {
  if (text === "") return "";
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(capital) ? capital : `${capital}.`;
}
