// Runs a CommonJS file with V8's code cache: what an earlier process compiled is not compiled again. The cache stands beside
// the file: who can write there can change the code as well.

import { readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import type { Clock } from "@ripstop/core";
import { codeCacheName, readCodeCache, writeCodeCache } from "./code-cache.ts";

/** By then a proxy has compiled what it needs for its first requests, and the cache has that too. */
const WRITE_AFTER_MS = 10_000;

/**
 * Runs `file`, which holds Latin-1, as `require` would; says whether V8 took the cache. Without one that V8 takes, it is
 * written ten seconds later. Throws what the file throws.
 */
export function runCached(file: string, clock: Clock): { readonly fromCache: boolean } {
  const source = readWrapped(file);
  const path = join(dirname(file), codeCacheName(process.execArgv));
  const cachedData = readCodeCache(path, source);
  const script = new Script(source.toString("latin1"), {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const refused = script.cachedDataRejected === true;
  const fromCache = cachedData !== undefined && !refused;
  if (!fromCache) {
    clock.after(WRITE_AFTER_MS, () => {
      // Proxies that started together need not all write it.
      if (refused || readCodeCache(path, source) === undefined) writeCodeCache(path, source, script.createCachedData());
    });
  }
  // What the file loads later requires it by its path.
  const loaded = new Module(file);
  loaded.filename = file;
  loaded.loaded = true;
  const require = createRequire(file);
  require.cache[file] = loaded;
  const run = script.runInThisContext() as (...module: readonly unknown[]) => void;
  run.call(loaded.exports, loaded.exports, require, loaded, file, dirname(file));
  return { fromCache };
}

/**
 * The file as the function that `require` makes of it. Put together as bytes: of text that is put together V8 keeps the
 * parts as well.
 */
function readWrapped(file: string): Buffer {
  const [before = "", after = ""] = Module.wrap("\0").split("\0");
  return Buffer.concat([Buffer.from(before), readFileSync(file), Buffer.from(after)]);
}
