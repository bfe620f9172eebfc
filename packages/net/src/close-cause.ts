// System error codes in plain words.

import type { CloseCause } from "./conn.ts";

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the peer reset the connection",
  EPIPE: "the peer had closed the connection already",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network is unreachable",
  ENOTFOUND: "the name does not exist in DNS",
  EAI_AGAIN: "DNS gives no answer for the moment",
  EMFILE: "too many open files in this process (ulimit -n)",
  ENFILE: "too many open files on this machine",
  EADDRNOTAVAIL: "no free local port, or the address is not available",
  EACCES: "the operating system does not allow it",
  EPERM: "the operating system does not allow it",
  ENOENT: "the socket file does not exist",
  ECANCELED: "the attempt was cancelled",
};

/** After an orderly end by both sides. */
export const CLEAN_CLOSE: CloseCause = Object.freeze({ code: "", message: "closed in order" });

/** After `destroy` by the owner. */
export const CLOSED_HERE: CloseCause = Object.freeze({ code: "", message: "closed by this side" });

/** A cause for a system error code; the words fall back to `fallback`, then to the code itself. */
export function closeCause(code: string, fallback?: string): CloseCause {
  return { code, message: WORDS[code] ?? fallback ?? code };
}

/** A cause for whatever an event brought. */
export function causeOf(error: unknown): CloseCause {
  if (!(error instanceof Error)) return closeCause("EUNKNOWN", String(error));
  const code = "code" in error && typeof error.code === "string" ? error.code : "EUNKNOWN";
  return closeCause(code, error.message);
}
