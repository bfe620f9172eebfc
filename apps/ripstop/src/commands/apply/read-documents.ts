// The files that a command line names, in a stable order.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "@ripstop/core";
import type { ApplyRequest } from "@ripstop/model";

const RESOURCE_FILE = /\.(ya?ml|json)$/;

/** The text of each file; folders are searched to the bottom; "-" is standard input. The error says which path and why. */
export async function readDocuments(paths: readonly string[]): Promise<Result<ApplyRequest["documents"], string>> {
  const documents: { file: string; text: string }[] = [];
  for (const path of paths) {
    // oxlint-disable no-await-in-loop -- the order is the order of the command line
    if (path === "-") {
      documents.push({ file: "(standard input)", text: await readStandardInput() });
      continue;
    }
    const found = await filesOf(path);
    if (!found.ok) return found;
    for (const file of found.value) {
      try {
        documents.push({ file, text: await readFile(file, "utf8") });
      } catch (cause) {
        return err(reasonOf(file, cause));
      }
    }
    // oxlint-enable no-await-in-loop
  }
  return ok(documents);
}

async function filesOf(path: string): Promise<Result<string[], string>> {
  try {
    if (!(await stat(path)).isDirectory()) return ok([path]);
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile() && RESOURCE_FILE.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted();
    return files.length === 0 ? err(`${path} has no .yaml, .yml or .json file`) : ok(files);
  } catch (cause) {
    return err(reasonOf(path, cause));
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(path: string, cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") return `${path} does not exist`;
  if (code === "EACCES") return `this user may not read ${path}`;
  return `${path}: ${cause instanceof Error ? cause.message : String(cause)}`;
}
