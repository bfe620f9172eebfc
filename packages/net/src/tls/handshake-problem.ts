// Failed handshakes in plain words.

import { causeOf } from "../close-cause.ts";

/** Ends a handshake whose server name is not served here. */
export class UnknownServerName extends Error {
  readonly code = "RIPSTOP_UNKNOWN_SERVER_NAME";
}

/** Ends a handshake whose caller is of a trust domain without a bundle here. */
export class UnknownCaller extends Error {
  readonly code = "RIPSTOP_UNKNOWN_CALLER";
}

type Problem = readonly [reason: string, message: string];

// From OpenSSL 3.5 on it does not say which of the two it was.
const BAD_SIGNATURE: Problem = [
  "bad_signature",
  "the peer does not have the key of its certificate, or a certificate of its chain is not signed by the issuer it names",
];

const PROBLEMS: Readonly<Record<string, Problem>> = {
  RIPSTOP_UNKNOWN_CALLER: ["unknown_trust_domain", "there is no trust bundle for the trust domain of the caller"],
  RIPSTOP_UNKNOWN_SERVER_NAME: ["unknown_server_name", "the peer asks for a workload that is not served here"],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ["no_certificate", "the peer presented no certificate"],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ["protocol_version", "the peer does not speak TLS 1.3"],
  ERR_SSL_NO_SHARED_CIPHER: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ["alpn", "the peer does not speak the protocol of the mesh"],
  ERR_SSL_HTTP_REQUEST: ["not_tls", "the peer sent plain HTTP"],
  ERR_SSL_WRONG_VERSION_NUMBER: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_INVALID_CERTIFICATE: [
    "malformed_certificate",
    "an extension of the peer's certificate is malformed, or it is there twice",
  ],
  ERR_SSL_CERT_LENGTH_MISMATCH: ["malformed_certificate", "there are bytes after the peer's certificate"],
  ERR_SSL_EXCESSIVE_MESSAGE_SIZE: ["certificate_too_large", "the peer's certificates are larger than any real ones"],
  ERR_SSL_WRONG_CURVE: ["weak_key", "the peer's key is on a curve that is not accepted"],
  ERR_SSL_WRONG_SIGNATURE_TYPE: ["weak_key", "the peer signs with an algorithm that is not accepted"],
  ERR_SSL_BAD_SIGNATURE: BAD_SIGNATURE,
  ERR_SSL_EVP_LIB: BAD_SIGNATURE,
  ERR_SSL_PROVIDER_SIGNATURE_FAILURE: BAD_SIGNATURE,
  ECONNRESET: ["connection_lost", "the peer closed before the handshake was complete"],
};

/** Metric reason and plain words for a failed handshake. */
export function handshakeProblem(error: unknown): readonly [reason: string, message: string] {
  const { code, message } = causeOf(error);
  const known = PROBLEMS[code];
  if (known) return known;
  const words = opensslWords(message);
  if (message.includes(":asn1 encoding routines:") || message.includes(":X509 V3 routines:")) {
    return ["malformed_certificate", `the peer's certificate is not well-formed: ${words}`];
  }
  return code.includes("ALERT") ? ["refused_by_peer", `the peer refused: ${words}`] : ["handshake", words];
}

/** OpenSSL's "ID:error:NUMBER:LIBRARY:FUNCTION:REASON:FILE:LINE:" cut down to library and reason; one line of ASCII. */
function opensslWords(message: string): string {
  const [, mark, , library = "", , reason = ""] = message.split(":");
  return (mark === "error" ? `${reason} (${library})` : message).replaceAll(/[^\x20-\x7e]+/g, " ").trim();
}
