// What /proc says of a process, for the selectors of registration entries. The caller's word is never taken.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, readlink, stat } from "node:fs/promises";

import { err, ok, type Result } from "@ripstop/core";
import type { ProcessFacts } from "@ripstop/identity/attestation";
import type { PeerCredentials } from "../workload-identity-source.ts";

const MAX_PROGRAM_BYTES = 1024 * 1024 * 1024;
const MAX_HASHES = 256;

/** Reads facts; remembers hashes of programs that have not changed. */
export class ProcessReader {
  readonly #hashes = new Map<string, string>();

  /**
   * The facts of a caller. `withHash`: an entry asks for the program's SHA-256, which means reading all of it. Fails when
   * the process ended meanwhile: what was read may then be another's.
   */
  async read(caller: PeerCredentials, withHash: boolean): Promise<Result<ProcessFacts, string>> {
    const folder = `/proc/${caller.pid}`;
    const [executable, cgroups] = await Promise.all([
      readlink(`${folder}/exe`).catch(() => ""),
      readFile(`${folder}/cgroup`, "utf8").then(cgroupsOf, () => []),
    ]);
    const sha256 = withHash ? await this.#hashOf(`${folder}/exe`) : "";
    if (!caller.isAlive()) return err(`process ${caller.pid} has ended`);
    const { uid, gid, pid } = caller;
    return ok({ uid, gid, pid, executable, sha256, cgroups });
  }

  /** Of the very file that runs, which /proc leads to even when the path now names another. */
  async #hashOf(path: string): Promise<string> {
    try {
      const found = await stat(path);
      const { dev, ino, size, mtimeMs, ctimeMs } = found;
      if (!found.isFile() || size > MAX_PROGRAM_BYTES) return "";
      // A change of content changes ctime, which nobody can set back.
      const key = [dev, ino, size, mtimeMs, ctimeMs].join(":");
      const known = this.#hashes.get(key);
      if (known !== undefined) return known;
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
      const sha256 = hash.digest("hex");
      if (this.#hashes.size >= MAX_HASHES) this.#hashes.clear();
      this.#hashes.set(key, sha256);
      return sha256;
    } catch {
      return "";
    }
  }
}

/** Paths of /proc/PID/cgroup, the one of version 2 (hierarchy 0) first. */
export function cgroupsOf(text: string): readonly string[] {
  const paths: string[] = [];
  for (const line of text.split("\n")) {
    const [hierarchy, , ...rest] = line.split(":");
    if (hierarchy === undefined || rest.length === 0) continue;
    if (hierarchy === "0") paths.unshift(rest.join(":"));
    else paths.push(rest.join(":"));
  }
  return paths;
}
