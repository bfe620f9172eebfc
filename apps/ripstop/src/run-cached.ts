// Runs a CommonJS file with V8's code cache: what an earlier process compiled is not compiled again. The cache stands beside
// the file: who can write there can change the code as well.

import { readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import type { Clock } from "@ripstop/core";
import { codeCacheName, readCodeCache, writeCodeCache } from "./code-cache.ts";
import { underStartOptions } from "./memory-options.ts";

/** How often a process without a complete cache asks whether it can write one. */
const WRITE_EVERY_MS = 10_000;

/** What a file may export for its cache. */
interface Program {
  /** Whether it has done work, and so compiled the code for it; without this it has by the time that the cache is written. */
  readonly isWarm?: () => boolean;
}

/**
 * Runs `file`, which holds Latin-1, as `require` would; says whether V8 took the cache. Without one that V8 takes, it is
 * written ten seconds later, and once more when the program has done work. Throws what the file throws.
 */
export function runCached(file: string, clock: Clock): { readonly fromCache: boolean } {
  const source = readWrapped(file);
  const path = join(dirname(file), codeCacheName(process.execArgv));
  const cached = readCodeCache(path, source);
  const script = new Script(source.toString("latin1"), {
    filename: file,
    ...(cached === undefined ? {} : { cachedData: cached.data }),
  });
  const refused = script.cachedDataRejected === true;
  const fromCache = cached !== undefined && !refused;
  const loaded = new Module(file);
  if (!fromCache || !cached.warm) {
    let isDue = !fromCache;
    let isUseless = refused;
    const timer = clock.every(WRITE_EVERY_MS, () => {
      const { isWarm } = loaded.exports as Program;
      const warm = isWarm === undefined || isWarm();
      if (!isDue && !warm) return;
      // Proxies that started together need not all write it.
      const there = isUseless ? undefined : readCodeCache(path, source);
      if (there === undefined || (warm && !there.warm))
        writeCodeCache(path, source, { data: underStartOptions(() => script.createCachedData()), warm });
      isDue = false;
      isUseless = false;
      if (warm) timer.clear();
    });
  }
  // What the file loads later requires it by its path.
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
