// Which ciphers and key exchanges proxies prefer: by what the processor and the OpenSSL below can do.

import { readFileSync } from "node:fs";

const AES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
const CHACHA = "TLS_CHACHA20_POLY1305_SHA256";

/** What /proc/cpuinfo says, undefined where there is none; and process.arch. */
export interface Processor {
  readonly cpuinfo: string | undefined;
  readonly arch: string;
}

/**
 * The TLS 1.3 suites in order of preference: AES-GCM first where the processor has instructions for it, else ChaCha20,
 * which is the faster one in plain code. Where the processor does not say, 64-bit ones are taken to have them.
 */
export function tls13Ciphers({ cpuinfo, arch }: Processor): string {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo ?? "")?.[1];
  const hasAes = flags === undefined ? arch === "x64" || arch === "arm64" : /\saes(\s|$)/.test(flags);
  return hasAes ? `${AES}:${CHACHA}` : `${CHACHA}:${AES}`;
}

/**
 * The groups for key exchange: the hybrid with ML-KEM-768 (draft-ietf-tls-ecdhe-mlkem) first where OpenSSL has it, from
 * 3.5 on. Undefined leaves the library's own order, which begins with X25519.
 */
export function keyExchangeGroups(opensslVersion: string): string | undefined {
  const [major = 0, minor = 0] = opensslVersion.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 5) ? "X25519MLKEM768:X25519:P-256:P-384" : undefined;
}

function cpuinfo(): string | undefined {
  try {
    return readFileSync("/proc/cpuinfo", "latin1");
  } catch {
    return undefined;
  }
}

/** For this process. */
export const TLS13_CIPHERS: string = tls13Ciphers({ cpuinfo: cpuinfo(), arch: process.arch });

/** For this process. */
export const KEY_EXCHANGE_GROUPS: string | undefined = keyExchangeGroups(process.versions.openssl ?? "0");
