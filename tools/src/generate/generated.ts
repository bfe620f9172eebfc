// What every generator returns; writing and comparing are the same for all.

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { read, root, type SourceFile } from "../lib/tree.ts";

/** The outcome of one generator. */
export interface Generated {
  readonly files: readonly SourceFile[];
  /** Files of an earlier run that nothing generates any more. */
  readonly stale: readonly string[];
  /** What is wrong with the input. */
  readonly problems: readonly string[];
}

/** Writes what differs and removes what is stale; returns the paths that were touched. */
export function write({ files, stale }: Generated): string[] {
  const touched: string[] = [];
  for (const { path, text } of files) {
    if (isCurrent({ path, text })) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    touched.push(path);
  }
  for (const path of stale) {
    rmSync(join(root, path));
    touched.push(path);
  }
  return touched;
}

/** What differs from the files as they are, one sentence each. */
export function compare({ files, stale, problems }: Generated): string[] {
  return [
    ...problems,
    ...files.filter((file) => !isCurrent(file)).map(({ path }) => `${path}: is not up to date; run npm run generate`),
    ...stale.map((path) => `${path}: nothing generates it any more; run npm run generate`),
  ];
}

function isCurrent({ path, text }: SourceFile): boolean {
  return existsSync(join(root, path)) && read(path).text === text;
}
