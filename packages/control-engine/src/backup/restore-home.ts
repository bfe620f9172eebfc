// Restores a backup into an empty home, when no control plane runs there: after a disk was lost.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { err, ok, type Result } from "@ripstop/core";

import { backupRefused } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { writeMemory } from "../home/home-files.ts";
import { lockHome } from "../home/home-lock.ts";
import { importLmdb } from "../store/lmdb-store.ts";
import { readBackup } from "./backup-format.ts";
import { openKeys } from "./sealed-keys.ts";

/** What was restored. */
export interface RestoredHome {
  readonly trustDomain: string;
  readonly revision: number;
  readonly resources: number;
  /** Without its keys the mesh gets a new certificate authority: every workload joins anew. */
  readonly keys: boolean;
}

/** Fills an empty home: resources, history and tables, and the keys when the backup has them and a passphrase is given. */
export async function restoreHome(
  home: string,
  text: string,
  passphrase: string | undefined,
): Promise<Result<RestoredHome, Failure>> {
  const read = readBackup(text);
  if (!read.ok) return refused(read.error);
  const { header, resources, log, tables, keys } = read.value;
  if (keys !== undefined && passphrase === undefined) return refused("it has keys, and no passphrase is given");
  const lock = lockHome(home);
  if (!lock.ok) return lock;
  try {
    const store = join(home, "store");
    if (existsSync(store) && readdirSync(store).length > 0) return refused(`${home} has a store already`);
    if (keys !== undefined && passphrase !== undefined) {
      const opened = await openKeys(keys, passphrase, join(home, "authority"));
      if (!opened.ok) return refused(opened.error);
    }
    await importLmdb(store, { revision: header.revision, resources, log, tables });
    writeMemory(home, { trustDomain: header.trustDomain });
    const { trustDomain, revision } = header;
    return ok({ trustDomain, revision, resources: resources.length, keys: keys !== undefined });
  } finally {
    lock.value.release();
  }
}

function refused(message: string): Result<never, Failure> {
  return err({ kind: backupRefused, message });
}
