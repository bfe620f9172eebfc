// Trust bundles: the roots of one trust domain, as PEM text on disk and as DER on the config stream.

import { X509Certificate } from "node:crypto";

import { err, ok, type Result } from "@ripstop/core";

/** The roots of a trust domain. */
export interface TrustBundleRoots {
  readonly pem: string;
  readonly der: readonly Uint8Array[];
  /** Grows with every change. */
  readonly sequence: number;
}

const MAX_CERTIFICATES = 64;
const MAX_PEM_CHARACTERS = 256 * 1024;
const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text as DER, in order; a sentence when it holds none, too many, or a malformed one. */
export function pemToDer(pem: string): Result<readonly Uint8Array[], string> {
  if (pem.length > MAX_PEM_CHARACTERS) return err(`a bundle has at most ${MAX_PEM_CHARACTERS} characters`);
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) return err("there is no PEM block CERTIFICATE");
  if (blocks.length > MAX_CERTIFICATES) return err(`a bundle has at most ${MAX_CERTIFICATES} certificates`);
  const certificates: Uint8Array[] = [];
  for (const block of blocks) {
    try {
      certificates.push(new X509Certificate(block).raw);
    } catch {
      return err(`certificate ${certificates.length + 1} is malformed`);
    }
  }
  return ok(certificates);
}

/** PEM text of DER certificates. */
export function derToPem(certificates: readonly Uint8Array[]): string {
  let text = "";
  for (const der of certificates) {
    const base64 = Buffer.from(der).toString("base64");
    text += `-----BEGIN CERTIFICATE-----\n${(base64.match(/.{1,64}/g) ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
  }
  return text;
}

/** True when both hold the same certificates in the same order. */
export function sameRoots(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((der, index) => Buffer.compare(der, b[index] ?? Buffer.alloc(0)) === 0);
}
