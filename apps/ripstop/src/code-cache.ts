// V8's code cache in a file. V8 itself compares only its version, its options and the length of the source, so the file says
// for which source it is and what its bytes are: a torn or foreign file is not given to V8.

import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Bytes of SHA-256 at the start of the file. */
const HASH_BYTES = 32;

/** The name of the cache of a process with these options of Node: V8 refuses what was compiled under others. */
export function codeCacheName(execArgv: readonly string[]): string {
  const hash = createHash("sha256").update([process.version, process.arch, ...execArgv].join("\0"));
  return `code-cache-${hash.digest("hex").slice(0, 16)}`;
}

/** The cache of `source` in the file `path`; undefined when there is none, or when it is of something else. */
export function readCodeCache(path: string, source: Buffer): Buffer | undefined {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return undefined;
  }
  const data = file.subarray(HASH_BYTES);
  return hashOf(source, data).equals(file.subarray(0, HASH_BYTES)) ? data : undefined;
}

/**
 * Keeps `data` as the cache of `source` in the file `path` (put in place whole). A disk that refuses it costs
 * the next start its head start and nothing else, so nothing is said.
 */
export function writeCodeCache(path: string, source: Buffer, data: Buffer): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, Buffer.concat([hashOf(source, data), data]));
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
  }
}

function hashOf(source: Buffer, data: Buffer): Buffer {
  return createHash("sha256").update(source).update(data).digest();
}
