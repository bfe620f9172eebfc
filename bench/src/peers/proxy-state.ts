// State directories for Ripstop proxies under measurement: real SVIDs, and the config as a cache file, so that a proxy
// runs without a control plane.

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCache, type CachedResource } from "@ripstop/discovery/client";
import {
  identityFiles,
  stateFiles,
  telemetryType,
  trustBundleType,
  workloadType,
  type BootstrapUpstream,
  type InboundPort,
  type ProxyBootstrap,
  type ProxyPorts,
  type ResourceType,
} from "@ripstop/model";
import { CONTROL_IDENTITY, NAMESPACE, TRUST_DOMAIN, type EndIdentity, type MeshIdentities } from "./mesh-identities.ts";

/** One hosted workload and where its proxy listens. */
export interface BenchWorkload {
  readonly name: string;
  readonly identity: EndIdentity;
  readonly upstreams: readonly BootstrapUpstream[];
  readonly inboundPorts: readonly InboundPort[];
  readonly ports: ProxyPorts["workloads"][string];
}

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

/** Writes the state directory of a proxy for one workload; `cache` gets what every proxy knows. */
export function writeState(
  directory: string,
  workload: BenchWorkload,
  mesh: MeshIdentities,
  cache: CacheBuilder,
): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { name, identity, upstreams, inboundPorts, ports } = workload;
  const id = `${NAMESPACE}/${name}`;
  const { spiffeId } = identity;
  cache.add(trustBundleType, TRUST_DOMAIN, {
    trustDomain: TRUST_DOMAIN,
    sequence: 1,
    revocations: [],
    x509Authorities: mesh.bundleDer.map((der) => Buffer.from(der)),
    federatesWith: [],
  });
  cache.add(telemetryType, "default", { reportIntervalMs: 1000 });
  cache.add(workloadType, id, {
    id,
    namespace: NAMESPACE,
    serviceAccount: name,
    spiffeId,
    labels: {},
    ports: [...inboundPorts],
    policies: [],
    locality: undefined,
    service: id,
  });
  const bootstrap: ProxyBootstrap = {
    version: 1,
    trustDomain: TRUST_DOMAIN,
    proxyId: id,
    // Nobody is there: the proxy serves from its cache.
    controlAddresses: ["127.0.0.1:1"],
    controlIdentity: CONTROL_IDENTITY,
    workloads: [{ id, namespace: NAMESPACE, spiffeId, inboundHost: "127.0.0.1", upstreams }],
  };
  const write = (file: string, content: string | Buffer): void =>
    writeFileSync(join(directory, file), content, { mode: 0o600 });
  write(stateFiles.bootstrap, JSON.stringify(bootstrap));
  write(stateFiles.ports, JSON.stringify({ workloads: { [id]: ports } } satisfies ProxyPorts));
  write(stateFiles.bundle, mesh.bundlePem);
  write(identityFiles(id).svid, identity.chainPem);
  write(identityFiles(id).key, identity.keyPem);
  write(stateFiles.cache, cache.encode(id));
}
