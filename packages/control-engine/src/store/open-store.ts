// Which engine keeps the resources of a mesh home.

import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Clock } from "@ripstop/core";

import { openLmdbStore } from "./lmdb-store.ts";
import type { Store } from "./store.ts";

/** How to reach the etcd that keeps the resources. */
export interface EtcdSettings {
  /** "http://HOST:PORT" or "https://HOST:PORT" of each member. */
  readonly endpoints: readonly string[];
  /** Prefix of all keys. */
  readonly prefix: string;
  /** PEM. Certificate authority of the members; default: those of the system. */
  readonly caPem?: string;
  /** PEM. Certificate and key of the control plane. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

/** What a control plane is among several that share an etcd. */
export interface SharedSettings {
  /** Id of what they have in common: the certificate authority. */
  readonly meshId: string;
}

/** What a store is opened with. */
export interface OpenStoreOptions {
  readonly home: string;
  readonly clock: Clock;
  readonly keepRevisions?: number;
  /** undefined: the embedded store in the home. */
  readonly etcd: EtcdSettings | undefined;
  /** Others may use the same etcd; undefined: the prefix belongs to this home alone. */
  readonly shared?: SharedSettings;
}

/** Opens the store of a home. Throws a RipstopError when it cannot be used. */
export async function openStore({ home, clock, etcd, shared, ...options }: OpenStoreOptions): Promise<Store> {
  if (etcd === undefined) return openLmdbStore({ directory: join(home, "store"), clock, ...options });
  const { openEtcdStore } = await import("./etcd/etcd-store.ts");
  const homeId = homeIdOf(home);
  if (shared === undefined) return openEtcdStore({ ...etcd, ...options, clock, homeId });
  const replica = { homeId: shared.meshId, replicaId: homeId, formerHomeId: homeId };
  return openEtcdStore({ ...etcd, ...options, ...replica, clock });
}

/** A random name of the home, made once: two homes have two authorities and must not share resources. */
function homeIdOf(home: string): string {
  const file = join(home, "home-id");
  if (!existsSync(file)) writeFileSync(file, `${randomUUID()}\n`, { mode: 0o600, flag: "wx" });
  return readFileSync(file, "utf8").trim();
}
