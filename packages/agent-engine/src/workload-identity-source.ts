// Who may be whom on this host, as the SPIFFE Workload API asks it: the agent answers for every process of the host,
// `ripstop run` for the one application that it started.

import type { Result } from "@ripstop/core";

/** A process at the other end of a Unix socket, as the kernel names it. */
export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** False once that process has ended: its number may then be another's. Read it after what was read under /proc/PID. */
  isAlive(): boolean;
}

/** One X.509-SVID with its key. */
export interface X509SvidWithKey {
  readonly spiffeId: string;
  /** Leaf first, then intermediates, each DER. */
  readonly chainDer: readonly Uint8Array[];
  /** PKCS #8, DER. */
  readonly keyDer: Uint8Array;
  /** Tells several identities of one workload apart ("" when there is nothing to say). */
  readonly hint: string;
  readonly notAfterMs: number;
}

/** The keys to trust of one trust domain. */
export interface TrustDomainBundle {
  /** X.509 roots, each DER. */
  readonly x509Der: readonly Uint8Array[];
  /** JWT keys as a JWK set (RFC 7517); undefined when the trust domain has none. */
  readonly jwksJson: string | undefined;
}

/** All that a workload may have at one moment. */
export interface WorkloadIdentities {
  /** The default identity first; empty for a caller without any, which is then to be refused. */
  readonly svids: readonly X509SvidWithKey[];
  /** By trust domain name ("mesh.local"), the own one always among them. */
  readonly bundles: ReadonlyMap<string, TrustDomainBundle>;
}

/** A JWT-SVID. */
export interface JwtSvid {
  readonly spiffeId: string;
  readonly token: string;
  readonly hint: string;
}

/** Why no JWT-SVID was given. */
export interface IdentityRefusal {
  /** "denied": the caller has no such identity; "invalid": the request is wrong; "unavailable": try again later. */
  readonly reason: "denied" | "invalid" | "unavailable";
  /** One sentence for the caller. */
  readonly message: string;
}

/** Answers the Workload API. */
export interface WorkloadIdentitySource {
  /**
   * What `caller` may have, at once, and again after every change (renewal, registration, bundle), until `signal` is
   * aborted: the iteration then ends without an error. It ends as well when the process is gone.
   */
  identitiesOf(caller: PeerCredentials, signal: AbortSignal): AsyncIterable<WorkloadIdentities>;
  /** A JWT-SVID for `audience` (at least one) of the caller's identity `spiffeId`, or of its default one. */
  fetchJwtSvid(
    caller: PeerCredentials,
    audience: readonly string[],
    spiffeId?: string,
  ): Promise<Result<JwtSvid, IdentityRefusal>>;
}
