// The server name (SNI) by which one proxy names the workload and port it wants at another:
// PORT.INSTANCE.NAMESPACE.mesh, or PORT.INSTANCE.NAMESPACE.CALLER.mesh in a federated mesh, where CALLER stands for the
// trust domain of the caller. One listener serves many workloads, and each answers with its own certificate.

import { createHash } from "node:crypto";

/** A parsed mesh server name. */
export interface MeshServerName {
  /** "NAMESPACE/INSTANCE". */
  readonly workloadId: string;
  /** Port of the workload, 1 … 65,535. */
  readonly port: number;
  /** As `callerLabel` makes it; "" when the caller did not say. Only a claim: the handshake proves it or fails. */
  readonly caller: string;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const CALLER = /^td[0-9a-f]{16}$/;
const SUFFIX = "mesh";
/** A DNS name has at most so many characters (RFC 1035 §2.3.4). */
const MAX_LENGTH = 253;

/** The server name for `port` of the workload "NAMESPACE/INSTANCE"; undefined when either part is no lower-case DNS label. */
export function meshServerName(workloadId: string, port: number): string | undefined {
  const slash = workloadId.indexOf("/");
  const name = `${port}.${workloadId.slice(slash + 1)}.${workloadId.slice(0, Math.max(slash, 0))}.${SUFFIX}`;
  return parseMeshServerName(name) ? name : undefined;
}

/** Parses strictly (lower case only, no trailing dot), so that no two names mean the same workload; undefined if it is none. */
export function parseMeshServerName(name: string): MeshServerName | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const labels = name.split(".");
  const caller = labels.length === 5 ? (labels.splice(3, 1)[0] ?? "") : "";
  const [port = "", instance = "", namespace = "", suffix, ...more] = labels;
  if (suffix !== SUFFIX || more.length > 0 || (caller !== "" && !CALLER.test(caller))) return undefined;
  if (!PORT.test(port) || Number(port) > 65_535 || !LABEL.test(instance) || !LABEL.test(namespace)) return undefined;
  return { workloadId: `${namespace}/${instance}`, port: Number(port), caller };
}

/** Stands for a trust domain in a server name. */
export function callerLabel(trustDomain: string): string {
  return `td${createHash("sha256").update(trustDomain).digest("hex").slice(0, 16)}`;
}

/** `name` with the caller's trust domain: the server then checks the chain against the roots of that domain alone. */
export function withCaller(name: string, trustDomain: string): string {
  const said = name.replace(/\.mesh$/, `.${callerLabel(trustDomain)}.${SUFFIX}`);
  return parseMeshServerName(said) ? said : name;
}
