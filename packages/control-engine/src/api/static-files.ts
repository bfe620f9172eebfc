// The dashboard's files. All are read at the start: what is served is this fixed list, so no path of a request ever
// reaches the disk.

import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { extname, join } from "node:path";

import { answer } from "./http-answer.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
};

/** Files by their path in a request. */
export class StaticFiles {
  readonly #files = new Map<string, { readonly type: string; readonly body: Buffer }>();

  /** Reads all files under `directory`; a folder that is not there gives none. */
  constructor(directory: string) {
    let names: string[];
    try {
      names = readdirSync(directory, { recursive: true, encoding: "utf8" });
    } catch {
      return;
    }
    for (const name of names) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const file = { type, body: readFileSync(join(directory, name)) };
      const path = `/${name.replaceAll("\\", "/")}`;
      this.#files.set(path, file);
      if (path === "/index.html") this.#files.set("/", file);
    }
  }

  /** Answers with the file of `path`; false when there is none. */
  serve(path: string, response: ServerResponse): boolean {
    const file = this.#files.get(path);
    if (file === undefined) return false;
    // Names under /assets hold a hash of the content.
    answer(response, 200, { ...file, ...(path.startsWith("/assets/") ? { maxAgeS: 86_400 } : {}) });
    return true;
  }
}
