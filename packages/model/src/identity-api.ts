// The part of the REST API that is about identities; the routes are listed in api.ts.

import type { SvidResponse, UnknownReplica } from "./api.ts";

/** A proxy's config stream. */
export interface ProxyView {
  readonly proxyId: string;
  readonly identity: string;
  /** It has acknowledged everything. */
  readonly synced: boolean;
  /** How long it has not acknowledged something, in milliseconds; 0 when synced. */
  readonly pendingMs: number;
  /** Types whose last response it refused, with its reasons. */
  readonly rejected: readonly { readonly type: string; readonly reason: string }[];
  /** Id of the control plane that has the stream; there, when the mesh has several. */
  readonly replica?: string;
}

/** The answer to GET /v1/proxies: the config streams of the whole mesh. */
export interface ProxyList {
  readonly proxies: readonly ProxyView[];
  /** Control planes that could not be asked for theirs. Absent when there are none. */
  readonly unknown?: readonly UnknownReplica[];
}

/** A certificate as people look at it. */
export interface CertificateView {
  /** Lower-case hex without leading zeros. */
  readonly serialNumber: string;
  readonly subject: string;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Of the whole certificate, lower-case hex. */
  readonly sha256: string;
  /** "EC prime256v1", "RSA 2048". */
  readonly key: string;
  readonly kind: "root" | "intermediate" | "leaf";
}

/** What is refused although a root vouches for it: exactly one of the first two fields is not "". */
export interface RevocationView {
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly reason: string;
  readonly revokedMs: number;
}

/** One identity in the list. */
export interface IdentityView {
  readonly spiffeId: string;
  /** Ids of the workloads that have it now. */
  readonly workloads: readonly string[];
  /** Certificates issued to it so far, as far as the control plane remembers. */
  readonly issued: number;
  /** Of the newest certificate. */
  readonly serialNumber: string;
  readonly issuedMs: number;
  /** End of the newest certificate; 0 when it has none that is valid. */
  readonly notAfterMs: number;
  /** The workload whose SVID ends first, when it should have been renewed long ago; "" otherwise. */
  readonly overdue: string;
  /** What refuses the identity as a whole, or its newest certificate. */
  readonly revocation: RevocationView | undefined;
}

/** All identities and who vouches for them. */
export interface IdentityList {
  readonly trustDomain: string;
  readonly timeMs: number;
  /** Roots in the trust bundle, and intermediates that signed lately. */
  readonly authorities: readonly CertificateView[];
  readonly identities: readonly IdentityView[];
  readonly revocations: readonly RevocationView[];
}

/** One identity in full. */
export interface IdentityDetails extends IdentityView {
  /** Certificates that are valid now, newest first, with what refuses them. */
  readonly certificates: readonly (CertificateView & { readonly revocation: RevocationView | undefined })[];
  /** From the newest leaf's issuer to the root. */
  readonly chain: readonly CertificateView[];
  /** For each workload, what decides who may call it. */
  readonly callers: readonly {
    readonly workload: string;
    /** The policies that guard it; none: every identity of the mesh may call. */
    readonly policies: readonly {
      /** "AuthorizationPolicy/shop/allow-web". */
      readonly name: string;
      /** "ALLOW", "DENY" or "AUDIT". */
      readonly action: string;
      /** Each `from` of its rules: "serviceAccounts web, cart". Empty: the policy does not look at the caller. */
      readonly from: readonly string[];
    }[];
  }[];
}

/** Exactly one of the first two fields. */
export interface RevokeRequest {
  readonly spiffeId?: string;
  readonly serialNumber?: string;
  readonly reason: string;
  /** How long to wait for the proxies' acknowledgements, 0 … 60 000; default 5 000. */
  readonly waitMs: number;
}

/** What revoking, or taking it back, came to. */
export interface RevokeResponse {
  readonly revocation: RevocationView;
  /** Proxies that were connected. */
  readonly total: number;
  /** Of those, how many have it in force. */
  readonly live: number;
  /** Those that have not acknowledged yet. */
  readonly pending: readonly string[];
  readonly elapsedMs: number;
}

/** An SVID for a key outside the mesh. */
export interface IssueRequest {
  readonly spiffeId: string;
  readonly csrPem: string;
  /** 10 s … 24 h; default the authority's. */
  readonly ttlMs?: number;
}

/** The SVID. */
export interface IssueResponse extends SvidResponse {
  readonly spiffeId: string;
  /** Hex. */
  readonly serialNumber: string;
}
