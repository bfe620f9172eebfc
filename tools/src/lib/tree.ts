// The checkout as the tools see it: files by path from its top folder, with forward slashes.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

import { root } from "../root.ts";

export { root };

/** A file that was read. */
export interface SourceFile {
  /** From the top folder: "packages/core/src/clock.ts". */
  readonly path: string;
  readonly text: string;
}

const SKIPPED: ReadonlySet<string> = new Set(["node_modules", "dist", "build", ".git"]);

/** Every file below `folder` (from the top folder) that `accept` takes, sorted; without what is built or installed. */
export function filesBelow(folder: string, accept: (path: string) => boolean): string[] {
  const start = join(root, folder);
  if (!existsSync(start)) return [];
  const found: string[] = [];
  const open = [start];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      const path = join(next, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) open.push(path);
      else if (entry.isFile()) found.push(relative(root, path).split(sep).join("/"));
    }
  }
  return found.filter((path) => accept(path)).toSorted();
}

/** Reads a file. */
export function read(path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

/** The TypeScript sources of packages, applications, tools and end-to-end tests. */
export function typescriptSources(): SourceFile[] {
  return ["packages", "apps", "tools", "test"]
    .flatMap((folder) => filesBelow(folder, (path) => /\/src\/.*\.tsx?$/.test(path)))
    .map((path) => read(path));
}
