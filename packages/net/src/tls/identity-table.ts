// The certificates, keys and trust bundles in force. They are swapped live: connections made with the old ones live on.

import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { UNUSABLE_IDENTITY } from "../errors.ts";
import { KEY_EXCHANGE_GROUPS, TLS13_CIPHERS } from "./crypto-preferences.ts";
import { callerLabel } from "./mesh-server-name.ts";
import { RevocationList, type Revocation } from "./revocation-list.ts";

/** One workload's own certificate. */
export interface TlsIdentity {
  /** Leaf first, then intermediates. */
  readonly chainPem: string;
  /** PKCS #8. */
  readonly keyPem: string;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MAX_CHAIN_DEPTH = 5;
const MAX_OWN_ISSUERS = 64;
const MAX_PROVEN = 4_096;

const COMMON: SecureContextOptions = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  // Security level 2: no RSA key below 2048 bits and no SHA-1 anywhere in a chain. (The rest of that list is unused.)
  ciphers: `${TLS13_CIPHERS}:DEFAULT@SECLEVEL=2`,
  honorCipherOrder: true,
  ...(KEY_EXCHANGE_GROUPS === undefined ? {} : { ecdhCurve: KEY_EXCHANGE_GROUPS }),
  sessionIdContext: "ripstop-mesh",
};

/** Holds identities by workload id and bundles by trust domain, and makes OpenSSL contexts of them. */
export class IdentityTable {
  readonly #identities = new Map<string, TlsIdentity>();
  /** Name and serial number of each own leaf. */
  readonly #ownLeaves = new Map<string, { readonly spiffeId: string; readonly serialNumber: string }>();
  #revocations: RevocationList = new RevocationList();
  readonly #contexts = new Map<string, SecureContext>();
  readonly #listeners = new Set<() => void>();
  #bundlePems: ReadonlyMap<string, string> = new Map();
  /** Trust domains by their labels in server names. */
  #callers: ReadonlyMap<string, string> = new Map();
  /** Intermediates above our own leaves, by fingerprint. */
  readonly #ownIssuers = new Map<string, X509Certificate>();
  readonly #proven = new Map<string, string>();
  #roots = new Map<string, readonly X509Certificate[]>();
  #ticketKeys = randomBytes(48);
  #generation = 0;

  /** Grows with every change; sessions are resumed only within one generation. */
  get generation(): number {
    return this.#generation;
  }

  /** Workload ids that have an identity. */
  get workloadIds(): Iterable<string> {
    return this.#identities.keys();
  }

  /** Sets or replaces the identity of a workload. On failure the old one stays. */
  setIdentity(workloadId: string, identity: TlsIdentity): Result<void, RipstopError> {
    let issuers: readonly X509Certificate[] = [];
    try {
      issuers = (identity.chainPem.match(PEM_CERTIFICATE) ?? []).slice(1).map((one) => new X509Certificate(one));
      const leaf = new X509Certificate(identity.chainPem);
      if (!leaf.checkPrivateKey(createPrivateKey(identity.keyPem))) {
        return unusable(workloadId, "the key does not belong to the certificate");
      }
      const spiffeId = /URI:(spiffe:[^\s,]+)/.exec(leaf.subjectAltName ?? "")?.[1] ?? "";
      this.#ownLeaves.set(workloadId, { spiffeId, serialNumber: leaf.serialNumber });
    } catch (error) {
      return unusable(workloadId, error);
    }
    this.#identities.set(workloadId, identity);
    if (this.#ownIssuers.size >= MAX_OWN_ISSUERS) this.#ownIssuers.clear();
    for (const issuer of issuers) this.#ownIssuers.set(issuer.fingerprint256, issuer);
    this.#changed();
    return ok(undefined);
  }

  /** Forgets a workload: it accepts and makes no more connections. */
  removeIdentity(workloadId: string): void {
    this.#ownLeaves.delete(workloadId);
    if (this.#identities.delete(workloadId)) this.#changed();
  }

  /**
   * Replaces the list of who is refused. True when it differs from the one before: then no session is resumed any more,
   * and the caller has to end the connections that are refused now.
   */
  setRevocations(revocations: RevocationList): boolean {
    if (revocations.equals(this.#revocations)) return false;
    this.#revocations = revocations;
    this.#changed();
    return true;
  }

  /** What refuses the certificate `serialNumber` (hex) of the peer `spiffeId`. */
  revocationOf(spiffeId: string, serialNumber: string): Revocation | undefined {
    return this.#revocations.find(spiffeId, serialNumber);
  }

  /** The identity of a workload of this table and what refuses it; undefined while nothing does. */
  ownRevocation(workloadId: string): { readonly spiffeId: string; readonly by: Revocation } | undefined {
    const leaf = this.#ownLeaves.get(workloadId);
    const by = leaf && this.#revocations.find(leaf.spiffeId, leaf.serialNumber);
    return leaf && by && { spiffeId: leaf.spiffeId, by };
  }

  /** Lets no TLS session be resumed any more: the next handshake with every peer is a full one. Connections stay. */
  forgetSessions(): void {
    this.#generation++;
    this.#proven.clear();
    this.#ticketKeys = randomBytes(48);
    for (const listener of this.#listeners) listener();
  }

  /** Replaces all trust bundles, PEM by trust domain. On failure the old ones stay. */
  setBundles(bundles: ReadonlyMap<string, string>): Result<void, RipstopError> {
    const roots = new Map<string, readonly X509Certificate[]>();
    for (const [trustDomain, pem] of bundles) {
      try {
        const found = (pem.match(PEM_CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
        if (found.length === 0) return unusable(trustDomain, "the bundle holds no certificate");
        roots.set(trustDomain, found);
      } catch (error) {
        return unusable(trustDomain, error);
      }
    }
    this.#roots = roots;
    this.#bundlePems = new Map(bundles);
    this.#callers = new Map([...bundles.keys()].map((trustDomain) => [callerLabel(trustDomain), trustDomain]));
    this.#changed();
    return ok(undefined);
  }

  /** True when there is a bundle for the trust domain. */
  trusts(trustDomain: string): boolean {
    return this.#roots.has(trustDomain);
  }

  /** True while there are bundles of more than one trust domain. */
  get federated(): boolean {
    return this.#roots.size > 1;
  }

  /** What a server presents for a workload and accepts from any trusted domain; undefined while either part is missing. */
  serverContext(workloadId: string): SecureContext | undefined {
    return this.#context(`server ${workloadId}`, workloadId, [...this.#bundlePems.values()]);
  }

  /** As `serverContext`, for callers of one trust domain only, by its label in the server name. */
  serverContextFor(workloadId: string, caller: string): SecureContext | undefined {
    const pem = this.#bundlePems.get(this.#callers.get(caller) ?? "");
    return pem === undefined ? undefined : this.#context(`server ${workloadId} ${caller}`, workloadId, [pem]);
  }

  /** The trust domain that a caller's label stands for, as far as there is a bundle for it. */
  trustDomainOf(caller: string): string | undefined {
    return this.#callers.get(caller);
  }

  /** What a caller adds to the server name, so that the server knows whose roots to ask; undefined when it need not. */
  callerOf(workloadId: string, peerTrustDomain: string): string | undefined {
    const own = /^spiffe:\/\/([^/]+)/.exec(this.#ownLeaves.get(workloadId)?.spiffeId ?? "")?.[1];
    return own !== undefined && (this.federated || own !== peerTrustDomain) ? own : undefined;
  }

  /** Remembers, within this generation, that OpenSSL proved a leaf against the roots of one trust domain alone. */
  proved(leaf: X509Certificate, trustDomain: string): void {
    if (this.#proven.size >= MAX_PROVEN) this.#proven.clear();
    this.#proven.set(leaf.fingerprint256, trustDomain);
  }

  /** What a client presents for a workload towards one trust domain; undefined while either part is missing. */
  clientContext(workloadId: string, trustDomain: string): SecureContext | undefined {
    const pem = this.#bundlePems.get(trustDomain);
    return pem === undefined ? undefined : this.#context(`client ${workloadId} ${trustDomain}`, workloadId, [pem]);
  }

  /**
   * For a server before it knows the workload, with this generation's ticket keys: without a certificate, so that nothing
   * succeeds with it, or with that of the workload which peers get that send no server name.
   */
  baseContextOptions(namelessWorkloadId?: string): SecureContextOptions & { ticketKeys: Buffer } {
    const base = { ...COMMON, ca: [...this.#bundlePems.values()], ticketKeys: this.#ticketKeys };
    const identity = namelessWorkloadId === undefined ? undefined : this.#identities.get(namelessWorkloadId);
    return identity === undefined ? base : { ...base, cert: identity.chainPem, key: identity.keyPem };
  }

  /**
   * True when `leaf`, through `issuers` (what came with it, in any order), ends in a root of `trustDomain`. OpenSSL has
   * checked the chain against all bundles together; with one bundle that says it all. Issuers of this table's own
   * identities are known too: Node 24 does not tell a server what a client sent above its leaf. (Callers that name
   * their trust domain in the server name do not come here.)
   */
  chainEndsIn(leaf: X509Certificate, trustDomain: string, issuers: readonly X509Certificate[]): boolean {
    const roots = this.#roots.get(trustDomain);
    if (!roots) return false;
    if (this.#roots.size === 1) return true;
    // A resumed session brings the leaf without its issuers: what was proven in this generation holds.
    if (this.#proven.get(leaf.fingerprint256) === trustDomain) return true;
    if (!endsIn(leaf, roots, [...issuers, ...this.#ownIssuers.values()])) return false;
    this.proved(leaf, trustDomain);
    return true;
  }

  /** Calls `listener` after every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #context(key: string, workloadId: string, bundlePems: readonly string[]): SecureContext | undefined {
    const known = this.#contexts.get(key);
    if (known) return known;
    const identity = this.#identities.get(workloadId);
    if (!identity || bundlePems.length === 0) return undefined;
    const context = createSecureContext({
      ...COMMON,
      cert: identity.chainPem,
      key: identity.keyPem,
      ca: [...bundlePems],
    });
    this.#contexts.set(key, context);
    return context;
  }

  #changed(): void {
    this.#contexts.clear();
    this.forgetSessions();
  }
}

function endsIn(
  leaf: X509Certificate,
  roots: readonly X509Certificate[],
  issuers: readonly X509Certificate[],
): boolean {
  let current: X509Certificate | undefined = leaf;
  for (let depth = 0; current && depth < MAX_CHAIN_DEPTH; depth++) {
    const certificate: X509Certificate = current;
    if (roots.some((root) => root.fingerprint256 === certificate.fingerprint256 || issued(root, certificate))) {
      return true;
    }
    current = issuers.find((issuer) => issued(issuer, certificate));
  }
  return false;
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function unusable(subject: string, problem: unknown): { readonly ok: false; readonly error: RipstopError } {
  const words = problem instanceof Error ? problem.message : String(problem);
  return err(new RipstopError(UNUSABLE_IDENTITY, `identity of ${subject}: ${words}`, { subject }));
}
