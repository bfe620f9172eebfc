// The last step of every handshake, on both sides: is the peer who it must be? Until this says yes no byte passes.

import type { X509Certificate } from "node:crypto";
import type { TlsInfo } from "../conn.ts";
import type { Handshake } from "./handshake.ts";
import type { IdentityTable } from "./identity-table.ts";
import type { VerifyPeer } from "./peer-verdict.ts";
import { revocationText } from "./revocation-list.ts";

/** Why a peer was refused. */
export interface PeerRefusal {
  readonly reason: string;
  readonly message: string;
}

/** A peer that passed. */
export interface AcceptedPeer {
  readonly info: TlsInfo;
  readonly leaf: X509Certificate;
}

/** What to check. */
export interface PeerRules {
  readonly identities: IdentityTable;
  readonly verifyPeer: VerifyPeer;
  /** The ALPN protocol that must have been chosen. */
  readonly alpn: string;
  /** The only acceptable peer; undefined accepts every id of a trusted domain (authorization comes later). */
  readonly expectedPeerId?: string | undefined;
  /** The one trust domain against whose roots OpenSSL checked the chain; undefined when it was several. */
  readonly provenTrustDomain?: string | undefined;
}

/** The facts of the connection, or why it is refused. Never throws. Call it once a connection. */
export function acceptPeer(handshake: Handshake, rules: PeerRules, serverName: string): AcceptedPeer | PeerRefusal {
  try {
    return check(handshake, rules, serverName);
  } catch (error) {
    return { reason: "malformed_certificate", message: error instanceof Error ? error.message : String(error) };
  }
}

function check(handshake: Handshake, rules: PeerRules, serverName: string): AcceptedPeer | PeerRefusal {
  if (!handshake.authorized) return chainRefusal(handshake.problem);
  const { version, alpn, cipher, resumed } = handshake;
  if (version !== "TLSv1.3")
    return { reason: "protocol_version", message: `negotiated ${version ?? "nothing"}, not TLSv1.3` };
  if (alpn !== rules.alpn) return { reason: "alpn", message: `the peer does not speak ${rules.alpn}` };
  const issuers = rules.provenTrustDomain === undefined && rules.identities.federated ? handshake.issuers() : [];
  const leaf = handshake.leaf();
  if (!leaf) return { reason: "no_certificate", message: "the peer presented no certificate" };
  const verdict = rules.verifyPeer(leaf);
  if (!verdict.ok) return { reason: verdict.reason, message: verdict.message };
  if (!rules.identities.trusts(verdict.trustDomain)) {
    return { reason: "unknown_trust_domain", message: `there is no trust bundle for ${verdict.trustDomain}` };
  }
  if (
    rules.provenTrustDomain !== verdict.trustDomain &&
    !rules.identities.chainEndsIn(leaf, verdict.trustDomain, issuers)
  ) {
    return { reason: "wrong_trust_domain", message: `${verdict.id} was not issued by a root of its own trust domain` };
  }
  if (rules.provenTrustDomain === verdict.trustDomain) rules.identities.proved(leaf, verdict.trustDomain);
  if (rules.expectedPeerId !== undefined && verdict.id !== rules.expectedPeerId) {
    return { reason: "unexpected_peer", message: `expected ${rules.expectedPeerId}, found ${verdict.id}` };
  }
  const peerSerial = leaf.serialNumber;
  const revocation = rules.identities.revocationOf(verdict.id, peerSerial);
  if (revocation) return { reason: "revoked", message: revocationText(verdict.id, revocation) };
  return { info: { version, cipher, alpn, serverName, peerId: verdict.id, peerSerial, resumed }, leaf };
}

const CHAIN_WORDS: Readonly<Record<string, PeerRefusal>> = {
  UNABLE_TO_GET_ISSUER_CERT: { reason: "no_certificate", message: "the peer presented no certificate" },
  CERT_HAS_EXPIRED: {
    reason: "expired",
    message: "a certificate of the peer's chain has expired; check the clocks of both hosts",
  },
  CERT_NOT_YET_VALID: {
    reason: "not_yet_valid",
    message: "a certificate of the peer's chain is not valid yet; check the clocks of both hosts",
  },
  PATH_LENGTH_EXCEEDED: {
    reason: "untrusted_chain",
    message: "the peer's chain is longer than one of its authorities allows",
  },
  CERT_CHAIN_TOO_LONG: { reason: "untrusted_chain", message: "the peer's chain is too long" },
  CERT_SIGNATURE_FAILURE: {
    reason: "bad_signature",
    message: "a certificate of the peer's chain is not signed by the issuer that it names",
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: { reason: "untrusted_chain", message: "the peer's certificate is signed by itself" },
  ERROR_IN_CERT_NOT_BEFORE_FIELD: { reason: "malformed_certificate", message: "the start of validity is no date" },
  ERROR_IN_CERT_NOT_AFTER_FIELD: { reason: "malformed_certificate", message: "the end of validity is no date" },
  UNSPECIFIED: {
    reason: "untrusted_chain",
    message:
      "the peer's chain breaks a rule: an authority signed what it may not, a key or hash is too weak, or a critical extension is unknown",
  },
  INVALID_PURPOSE: { reason: "wrong_usage", message: "the peer's certificate is not meant for this use" },
};

function chainRefusal(problem: unknown): PeerRefusal {
  const code =
    problem instanceof Error ? ("code" in problem ? String(problem.code) : problem.message) : String(problem);
  return (
    CHAIN_WORDS[code] ?? {
      reason: "untrusted_chain",
      message: `the peer's certificate is not signed by a trusted root (${code})`,
    }
  );
}
