// The audit log: every write and every refusal, a line each, in files that are only added to. Refusals have files of
// their own: what outsiders can cause must not push out what was really done.

import { appendFileSync, chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { AuditEntry } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

import { auditUnwritable } from "../../errors.ts";
import type { Failure } from "../../failure.ts";

/** Settings of an AuditLog. */
export interface AuditLogOptions {
  /** Folder, made (0700) when missing. */
  readonly directory: string;
  /** A file that has grown to this is put aside; default 16 MiB. */
  readonly maxBytes?: number;
  /** Files kept of each sort; default 8. */
  readonly maxFiles?: number;
  readonly logger?: Logger;
}

type Sort = "writes" | "refusals";

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_FILES = 8;
const MAX_TEXT = 500;
const MAX_RESOURCES = 100;

/** The log. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #bytes = new Map<Sort, number>();
  #problem: string | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#open();
  }

  /** Why nothing may be written now: a change that cannot be recorded is not made. undefined when all is well. */
  check(): Failure | undefined {
    // Whatever it was may be over: only a try can tell.
    if (this.#problem !== undefined) this.#open();
    return this.#problem === undefined ? undefined : { kind: auditUnwritable, message: this.#problem };
  }

  /** Adds an entry. A line is written when this returns; that it fails is found by the next `check`. */
  add(entry: AuditEntry): void {
    const sort: Sort = entry.decision === "refused" ? "refusals" : "writes";
    const line = `${JSON.stringify({
      ...entry,
      action: entry.action.slice(0, MAX_TEXT),
      message: entry.message.slice(0, MAX_TEXT),
      resources: entry.resources.slice(0, MAX_RESOURCES),
    })}\n`;
    try {
      this.#append(sort, line);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The newest entries of a sort, newest first. */
  async list(refused: boolean, limit: number): Promise<readonly AuditEntry[]> {
    const sort: Sort = refused ? "refusals" : "writes";
    const entries: AuditEntry[] = [];
    for (let number = 0; number < this.#maxFiles && entries.length < limit; number++) {
      const path = this.#path(sort, number);
      if (!existsSync(path)) break;
      // oxlint-disable-next-line no-await-in-loop -- file after file, until there are enough
      const lines = (await readFile(path, "utf8")).split("\n");
      for (const line of lines.toReversed()) {
        const entry = parse(line);
        if (entry !== undefined && entries.push(entry) >= limit) break;
      }
    }
    return entries;
  }

  get #maxFiles(): number {
    return this.#options.maxFiles ?? DEFAULT_MAX_FILES;
  }

  #open(): void {
    try {
      mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
      for (const sort of ["writes", "refusals"] as const) {
        const path = this.#path(sort, 0);
        appendFileSync(path, "", { mode: 0o600 });
        chmodSync(path, 0o600);
        this.#bytes.set(sort, statSync(path).size);
      }
      this.#problem = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  #append(sort: Sort, line: string): void {
    const length = Buffer.byteLength(line);
    let bytes = this.#bytes.get(sort) ?? 0;
    if (bytes > 0 && bytes + length > (this.#options.maxBytes ?? DEFAULT_MAX_BYTES)) {
      this.#rotate(sort);
      bytes = 0;
    }
    appendFileSync(this.#path(sort, 0), line, { mode: 0o600 });
    this.#bytes.set(sort, bytes + length);
  }

  #rotate(sort: Sort): void {
    rmSync(this.#path(sort, this.#maxFiles - 1), { force: true });
    for (let number = this.#maxFiles - 2; number >= 0; number--) {
      const path = this.#path(sort, number);
      if (existsSync(path)) renameSync(path, this.#path(sort, number + 1));
    }
  }

  #path(sort: Sort, number: number): string {
    return join(this.#options.directory, number === 0 ? `${sort}.jsonl` : `${sort}.${number}.jsonl`);
  }

  #fail(error: unknown): void {
    this.#problem = `${this.#options.directory}: ${error instanceof Error ? error.message : String(error)}`;
    this.#options.logger?.error("the audit log cannot be written", { reason: this.#problem });
  }
}

function parse(line: string): AuditEntry | undefined {
  if (line === "") return undefined;
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    // A line that was cut short by a full disk.
    return undefined;
  }
}
