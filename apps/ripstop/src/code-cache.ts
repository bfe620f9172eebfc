// V8's code cache in a file. V8 itself compares only its version, its options and the length of the source, so the file says
// for which source it is and what its bytes are: a torn or foreign file is not given to V8. What follows the hash
// says whether the process that wrote it had done work by then.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Bytes of SHA-256 at the start of the file. */
const HASH_BYTES = 32;
/** Then a word of its own for one bit: V8 copies data that does not begin at a multiple of eight. */
const STATE_BYTES = 8;

/** What a process compiled. */
export interface CodeCache {
  readonly data: Buffer;
  /** It had done work by then: the code of that is in it too. */
  readonly warm: boolean;
}

/** The name of the cache of a process with these options of Node: V8 refuses what was compiled under others. */
export function codeCacheName(execArgv: readonly string[]): string {
  const hash = createHash("sha256").update([process.version, process.arch, ...execArgv].join("\0"));
  return `code-cache-${hash.digest("hex").slice(0, 16)}`;
}

/** The cache of `source` in the file `path`; undefined when there is none, or when it is of something else. */
export function readCodeCache(path: string, source: Buffer): CodeCache | undefined {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return undefined;
  }
  const rest = file.subarray(HASH_BYTES);
  if (rest.length <= STATE_BYTES || !hashOf(source, rest).equals(file.subarray(0, HASH_BYTES))) return undefined;
  return { data: rest.subarray(STATE_BYTES), warm: rest[0] === 1 };
}

/** Whether the file `path` says that it is of a process that had done work. */
export function isWarmCodeCache(path: string): boolean {
  return existsSync(path) && readFileSync(path)[HASH_BYTES] === 1;
}

/**
 * Keeps `cache` as that of `source` in the file `path` (put in place whole). A disk that refuses it costs
 * the next start its head start and nothing else, so nothing is said.
 */
export function writeCodeCache(path: string, source: Buffer, { data, warm }: CodeCache): void {
  const rest = Buffer.concat([Buffer.alloc(STATE_BYTES), data]);
  rest[0] = warm ? 1 : 0;
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, Buffer.concat([hashOf(source, rest), rest]));
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
  }
}

function hashOf(source: Buffer, rest: Buffer): Buffer {
  return createHash("sha256").update(source).update(rest).digest();
}
