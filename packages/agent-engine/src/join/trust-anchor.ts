// Whom a joiner trusts before it has a bundle: roots in a file, or roots by their SHA-256, as a join token holds them.

import { createHash } from "node:crypto";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { derToPem } from "@ripstop/identity";
import type { ApiFailure } from "../control-api.ts";
import { controlNotTrusted, joinUnreachable } from "../errors.ts";
import { failureOf } from "./failure-of.ts";
import type { JoinAddress } from "./join-address.ts";

/** Roots as PEM, or the SHA-256 (hex) of the DER of one that is trusted. */
export type TrustAnchor = { readonly pem: string } | { readonly sha256: readonly string[] };

const TIMEOUT_MS = 10_000;
const MAX_CHAIN = 8;

/**
 * The root certificates (PEM) of an anchor. By hash, the server is asked for its chain, and the root in it is taken if it
 * is one of those; nothing is sent, and whether the server belongs to that root is for the real connection to check.
 */
export function rootsOf(anchor: TrustAnchor, address: JoinAddress, clock: Clock): Promise<Result<string, ApiFailure>> {
  if ("pem" in anchor) return Promise.resolve(ok(anchor.pem));
  return new Promise((resolve) => {
    const socket = connect({ ...address, minVersion: "TLSv1.3", rejectUnauthorized: false, ca: [] });
    const timer = clock.after(TIMEOUT_MS, () => settle(err(failureOf(joinUnreachable, "no answer within 10 s"))));
    const settle = (result: Result<string, ApiFailure>): void => {
      timer.clear();
      socket.destroy();
      resolve(result);
    };
    socket.on("error", (error: Error) => settle(err(failureOf(joinUnreachable, error.message))));
    socket.on("secureConnect", () => {
      const root = chainOf(socket).find((der) => anchor.sha256.includes(sha256(der)));
      settle(
        root === undefined
          ? err(failureOf(controlNotTrusted, "its root certificate is none that the token names", 403))
          : ok(derToPem([root])),
      );
    });
  });
}

function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (let depth = 0; depth < MAX_CHAIN && certificate !== undefined; depth++) {
    // An absent certificate is an empty object, and a root names itself as its issuer.
    if (certificate.raw === undefined) break;
    chain.push(certificate.raw);
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function sha256(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}
