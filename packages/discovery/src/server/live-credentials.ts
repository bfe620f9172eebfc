// TLS of the stream endpoint: version 1.3, client certificate required, certificates exchanged while running.

import { constants } from "node:crypto";

import { ServerCredentials } from "@grpc/grpc-js";

/** What the endpoint shows, and whom it trusts. All PEM. */
export interface ServerTls {
  /** Leaf first. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Roots that client certificates must lead to. */
  readonly rootsPem: string;
}

/** Credentials whose certificates can be replaced: new connections get the new ones, open ones live on. */
export class LiveCredentials extends ServerCredentials {
  constructor(tls: ServerTls) {
    super({ requestCert: true, rejectUnauthorized: true, handshakeTimeout: 30_000 }, contextOf(tls));
  }

  /** Takes effect with the next connection. */
  replace(tls: ServerTls): void {
    this.updateSecureContextOptions(contextOf(tls));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

function contextOf(tls: ServerTls): {
  cert: string;
  key: string;
  ca: string;
  minVersion: "TLSv1.3";
  secureOptions: number;
} {
  return {
    cert: tls.chainPem,
    key: tls.keyPem,
    ca: tls.rootsPem,
    minVersion: "TLSv1.3",
    // No resumption: it would skip the check of the client's certificate after the roots have changed.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
