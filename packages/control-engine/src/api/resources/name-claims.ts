// Which names and addresses a resource claims for its namespace: what would let another namespace take its traffic.

import { isRecord, type Resource } from "@ripstop/resources";

/** Of a Gateway: its hostnames may be used by several namespaces. */
export const SHARED_HOSTS_ANNOTATION = "ripstop.mesh/shared-hostnames";

/** One thing that only one namespace can have. */
export interface NameClaim {
  /** "address 10.0.0.1", "host shop.example on Gateway infra/public". */
  readonly name: string;
  /** Where the resource says it: "spec.clusterIP". */
  readonly path: string;
}

const ROUTES: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute"]);

/** What a resource claims. */
export function nameClaims({ kind, metadata, spec }: Resource): readonly NameClaim[] {
  if (!isRecord(spec)) return [];
  const claims: NameClaim[] = [];
  if (kind === "Service") {
    const addresses: (readonly [string, unknown])[] = [["spec.clusterIP", spec["clusterIP"]]];
    if (Array.isArray(spec["clusterIPs"])) {
      for (const [at, address] of spec["clusterIPs"].entries()) addresses.push([`spec.clusterIPs[${at}]`, address]);
    }
    for (const [path, address] of addresses) {
      if (typeof address === "string" && address !== "" && address !== "None") {
        claims.push({ name: `address ${address}`, path });
      }
    }
  }
  if (ROUTES.has(kind) && Array.isArray(spec["hostnames"]) && Array.isArray(spec["parentRefs"])) {
    for (const parent of spec["parentRefs"]) {
      if (!isRecord(parent) || parent["kind"] !== "Gateway") continue;
      const namespace = typeof parent["namespace"] === "string" ? parent["namespace"] : metadata.namespace;
      for (const [at, host] of spec["hostnames"].entries()) {
        const name = `host ${String(host).toLowerCase()} on Gateway ${namespace}/${String(parent["name"])}`;
        claims.push({ name, path: `spec.hostnames[${at}]` });
      }
    }
  }
  return claims;
}

/** Whether a claim is of a Gateway that lets its hostnames be shared. `get` finds a resource by its key. */
export function isShared(claim: NameClaim, get: (key: string) => Resource | undefined): boolean {
  const gateway = claim.name.split(" on Gateway ")[1];
  if (gateway === undefined) return false;
  return get(`Gateway/${gateway}`)?.metadata.annotations[SHARED_HOSTS_ANNOTATION] === "true";
}
