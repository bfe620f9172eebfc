// Failed handshakes in plain words.

import { causeOf } from "../close-cause.ts";

/** Ends a handshake whose server name is not served here. */
export class UnknownServerName extends Error {
  readonly code = "RIPSTOP_UNKNOWN_SERVER_NAME";
}

const PROBLEMS: Readonly<Record<string, readonly [reason: string, message: string]>> = {
  RIPSTOP_UNKNOWN_SERVER_NAME: ["unknown_server_name", "the peer asks for a workload that is not served here"],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ["no_certificate", "the peer presented no certificate"],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ["protocol_version", "the peer does not speak TLS 1.3"],
  ERR_SSL_NO_SHARED_CIPHER: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ["alpn", "the peer does not speak the protocol of the mesh"],
  ERR_SSL_HTTP_REQUEST: ["not_tls", "the peer sent plain HTTP"],
  ERR_SSL_WRONG_VERSION_NUMBER: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ["not_tls", "the peer's bytes are not TLS"],
  ECONNRESET: ["connection_lost", "the peer closed before the handshake was complete"],
};

/** Metric reason and plain words for a failed handshake. */
export function handshakeProblem(error: unknown): readonly [reason: string, message: string] {
  const { code, message } = causeOf(error);
  return (
    PROBLEMS[code] ??
    (/ALERT/.test(code) ? ["refused_by_peer", `the peer refused: ${message}`] : ["handshake", message])
  );
}
