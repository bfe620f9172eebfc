// State directories for proxies under measurement: real SVIDs of a throwaway authority, and the config as a cache file,
// so that a proxy runs without a control plane.

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@ripstop/core";
import { encodeCache, type CachedResource } from "@ripstop/discovery/client";
import { openAuthority, type OpenAuthority } from "@ripstop/identity/authority";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import { controlSpiffeId, workloadSpiffeId } from "@ripstop/identity";
import { identityFiles, stateFiles, type BootstrapUpstream, type ProxyBootstrap, type ProxyPorts, type ResourceType } from "@ripstop/model";

const TRUST_DOMAIN = "bench.mesh";

/** Collects resources into a cache file. */
export class CacheBuilder {
  readonly #types = new Map<string, Map<string, CachedResource>>();

  /** Adds a resource; undefined means known not to exist. */
  add<T>(type: ResourceType<T>, name: string, resource: T | undefined): this {
    const bytes = resource === undefined ? undefined : Buffer.from(type.encode(resource));
    const version = bytes === undefined ? "" : createHash("sha256").update(bytes).digest("hex").slice(0, 16);
    const byName = this.#types.get(type.typeUrl) ?? new Map<string, CachedResource>();
    this.#types.set(type.typeUrl, byName.set(name, { version, bytes }));
    return this;
  }

  /** The file for the proxy called `proxyId`. */
  encode(proxyId: string): Buffer {
    return encodeCache(proxyId, this.#types);
  }
}

/** An authority in `folder`, used by all proxies of one measurement. */
export async function benchAuthority(folder: string): Promise<OpenAuthority> {
  const opened = await openAuthority({ directory: join(folder, "authority"), trustDomain: TRUST_DOMAIN, clock: systemClock });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

/** Writes the state directory of a proxy for one workload, with its ports fixed. */
export async function writeState(
  directory: string,
  authority: OpenAuthority,
  workload: { readonly name: string; readonly upstreams: readonly BootstrapUpstream[] },
  ports: ProxyPorts["workloads"][string],
  cache: CacheBuilder,
): Promise<{ readonly id: string; readonly spiffeId: string }> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const id = `bench/${workload.name}`;
  const spiffeId = workloadSpiffeId(TRUST_DOMAIN, "bench", workload.name);
  const { keyPem, csrPem } = await createKeyAndCsr(spiffeId);
  const svid = await authority.issue(csrPem, spiffeId, 24 * 3_600_000);
  if (!svid.ok) throw new Error(svid.error.message);
  const bootstrap: ProxyBootstrap = {
    version: 1,
    trustDomain: TRUST_DOMAIN,
    proxyId: id,
    // Nobody is there: the proxy serves from its cache.
    controlAddresses: ["127.0.0.1:1"],
    controlIdentity: controlSpiffeId(TRUST_DOMAIN),
    workloads: [{ id, namespace: "bench", spiffeId, inboundHost: "127.0.0.1", upstreams: workload.upstreams }],
  };
  const write = (name: string, content: string | Buffer): void => writeFileSync(join(directory, name), content, { mode: 0o600 });
  write(stateFiles.bootstrap, JSON.stringify(bootstrap));
  write(stateFiles.ports, JSON.stringify({ workloads: { [id]: ports } } satisfies ProxyPorts));
  write(stateFiles.bundle, authority.bundle().pem);
  write(identityFiles(id).svid, svid.value.chainPem);
  write(identityFiles(id).key, keyPem);
  write(stateFiles.cache, cache.encode(id));
  return { id, spiffeId };
}

/** Id and SPIFFE id of the workload called `name`. */
export function benchWorkload(name: string): { readonly id: string; readonly spiffeId: string } {
  return { id: `bench/${name}`, spiffeId: workloadSpiffeId(TRUST_DOMAIN, "bench", name) };
}
