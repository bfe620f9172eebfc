// The format of a backup: a JSON object a line; first what it is of, last a hash of all lines before.

import { createHash } from "node:crypto";

import { err, ok, type Result } from "@ripstop/core";
import { isRecord, type Resource } from "@ripstop/resources";

import type { Revision } from "../store/store.ts";
import type { SealedKeys } from "./sealed-keys.ts";

/** What a backup is of. */
export interface BackupHeader {
  readonly format: "ripstop-backup";
  readonly version: 1;
  readonly trustDomain: string;
  readonly revision: number;
  readonly timeMs: number;
}

/** A whole backup. */
export interface Backup {
  readonly header: BackupHeader;
  readonly resources: readonly Resource[];
  /** The history that was kept, in order. */
  readonly log: readonly Revision[];
  readonly tables: readonly { readonly table: string; readonly key: string; readonly value: unknown }[];
  readonly keys: SealedKeys | undefined;
}

/** The lines of a backup, each with its line break. */
export function* backupLines(backup: Backup): Generator<string> {
  const hash = createHash("sha256");
  let lines = 0;
  const line = (value: unknown): string => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    lines++;
    return text;
  };
  yield line(backup.header);
  for (const resource of backup.resources) yield line({ resource });
  for (const revision of backup.log) yield line({ revision });
  for (const entry of backup.tables) yield line(entry);
  if (backup.keys !== undefined) yield line({ keys: backup.keys });
  yield `${JSON.stringify({ end: true, lines, sha256: hash.digest("hex") })}\n`;
}

/** Reads a backup; a sentence when it is not a whole one. */
export function readBackup(text: string): Result<Backup, string> {
  const end = text.trimEnd().lastIndexOf("\n") + 1;
  const last = parse(text.slice(end));
  if (end === 0 || last?.["end"] !== true) return err("it is cut short, or no backup");
  const sha256 = createHash("sha256").update(text.slice(0, end)).digest("hex");
  if (last["sha256"] !== sha256) return err("it was changed or damaged: its hash is not that of its lines");
  const [first = "", ...rest] = text.slice(0, end).trimEnd().split("\n");
  const header = parse(first);
  if (header?.["format"] !== "ripstop-backup") return err("it is no backup of Ripstop");
  if (header["version"] !== 1) return err(`it has format ${String(header["version"])}; this version reads 1`);
  const resources: Resource[] = [];
  const log: Revision[] = [];
  const tables: { table: string; key: string; value: unknown }[] = [];
  let keys: SealedKeys | undefined;
  // The hash says that this is what `backupLines` wrote.
  for (const line of rest) {
    const entry = parse(line);
    if (entry === undefined) return err("a line is no JSON object");
    if (entry["resource"] !== undefined) resources.push(entry["resource"] as Resource);
    else if (entry["revision"] !== undefined) log.push(entry["revision"] as Revision);
    else if (entry["keys"] !== undefined) keys = entry["keys"] as SealedKeys;
    else if (typeof entry["table"] === "string" && typeof entry["key"] === "string") {
      tables.push({ table: entry["table"], key: entry["key"], value: entry["value"] });
    }
  }
  return ok({ header: header as unknown as BackupHeader, resources, log, tables, keys });
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
