// Node's own binding to OpenSSL below node:tls, which is not a public interface: typed here and found at run time.
// Versions without it, or with --permission, accept through node:tls (socket-handshakes.ts).

import type { DetailedPeerCertificate, SecureContext } from "node:tls";
import { nodeBinding, type StreamHandle } from "../tiers/libuv.ts";

/** What a handshake asks for. */
export interface CertificateRequest {
  /** "" or undefined when the client sent none. */
  readonly servername?: string;
}

/** Hears what happens during a handshake, and OpenSSL's complaints after it. */
export interface TlsHandshakeOwner {
  onTlsRead(result: number): void;
  onHandshakeDone(): void;
  onCertificateRequest(serverName: string | undefined): void;
  onTlsError(error: Error): void;
}

/** A TLS stream on top of another handle. */
export interface TlsHandle extends StreamHandle {
  /** The handle below; Node's own code looks for it here. */
  _parent?: StreamHandle;
  /** Who drives the handshake. */
  ripstopHandshake?: TlsHandshakeOwner | undefined;
  /** The native context to go on with, set before `certCbDone`. */
  sni_context?: unknown;
  onhandshakedone: ((this: TlsHandle) => void) | undefined;
  oncertcb: ((this: TlsHandle, request: CertificateRequest) => void) | undefined;
  onerror: ((this: TlsHandle, error: Error) => void) | undefined;
  setVerifyMode(requestCertificate: boolean, rejectUnauthorized: boolean): void;
  enableCertCb(): void;
  certCbDone(): void;
  /** Protocol names with their lengths before them (RFC 7301 section 3.1). */
  setALPNProtocols(wire: Buffer): void;
  /** Takes encrypted bytes that were read already. */
  receive(bytes: Buffer): void;
  verifyError(): (Error & { readonly code?: string }) | null | undefined;
  getProtocol(): string | null | undefined;
  /** False when none was negotiated. */
  getALPNNegotiatedProtocol(): string | false | undefined;
  getServername(): string | false | undefined;
  getCipher(): { readonly name: string };
  isSessionReused(): boolean;
  /** The session in OpenSSL's DER form. */
  getSession(): Buffer | undefined;
  getPeerCertificate(detailed: boolean): DetailedPeerCertificate | undefined;
  /** Frees OpenSSL's state; not from within one of its callbacks. */
  destroySSL(): void;
}

type Wrap = (handle: StreamHandle, context: unknown, isServer: boolean, hasActiveWrite: boolean) => TlsHandle;

const METHODS = [
  "setVerifyMode",
  "enableCertCb",
  "certCbDone",
  "setALPNProtocols",
  "receive",
  "verifyError",
  "getProtocol",
  "getALPNNegotiatedProtocol",
  "getServername",
  "getCipher",
  "isSessionReused",
  "getSession",
  "getPeerCertificate",
  "destroySSL",
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "shutdown",
];

let found: { readonly wrap: Wrap } | { readonly problem: string } | undefined;

/** Why the binding cannot be used here; undefined when it can. */
export function rawTlsProblem(): string | undefined {
  found ??= load();
  return "problem" in found ? found.problem : undefined;
}

/** A server's TLS stream on `handle`. Throws an Error when `rawTlsProblem` has one. */
export function wrapServer(handle: StreamHandle, context: SecureContext): TlsHandle {
  found ??= load();
  if ("problem" in found) throw new Error(found.problem);
  const tls = found.wrap(handle, context.context, true, false);
  tls._parent = handle;
  return tls;
}

function load(): { readonly wrap: Wrap } | { readonly problem: string } {
  try {
    const tls = nodeBinding("tls_wrap");
    const { wrap, TLSWrap } = tls as { readonly wrap?: unknown; readonly TLSWrap?: { readonly prototype?: object } };
    if (typeof wrap !== "function") return { problem: "wrap is missing" };
    const missing = METHODS.filter((name) => typeof Reflect.get(TLSWrap?.prototype ?? {}, name) !== "function");
    if (missing.length > 0) return { problem: `${missing.join(", ")} missing` };
    return { wrap: wrap as Wrap };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
