// Who is at the other end of a connection of the join listener, by its client certificate.

import { createHash, type X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { createPeerVerification } from "@ripstop/identity";
import { svidRequired } from "../errors.ts";
import type { Failure } from "../failure.ts";

/** A caller with a sound SVID. */
export interface Caller {
  readonly spiffeId: string;
  /** Hex. */
  readonly serialNumber: string;
  /** SHA-256 of its key (SPKI), hex. */
  readonly keySha256: string;
}

/** Says why a caller is not served although its certificate is sound (it was revoked), or undefined. */
export type CallerVeto = (caller: Caller) => string | undefined;

/** Finds callers out. */
export class Callers {
  readonly #trustDomain: string;
  readonly #verifyPeer: ReturnType<typeof createPeerVerification>;
  readonly #veto: CallerVeto;

  constructor(trustDomain: string, clock: Clock, veto: CallerVeto = () => undefined) {
    this.#trustDomain = trustDomain;
    this.#verifyPeer = createPeerVerification(clock);
    this.#veto = veto;
  }

  /** The caller, whose certificate is valid now (a connection may outlive it), or why there is none. */
  identify(request: IncomingMessage): Result<Caller, Failure> {
    const { socket } = request;
    const leaf = certificateOf(request);
    if (leaf === undefined || !(socket instanceof TLSSocket))
      return refused("the connection has no client certificate");
    const verdict = this.#verifyPeer(leaf);
    if (!verdict.ok) return refused(verdict.message);
    // The chain was checked by the handshake, against the roots of that moment.
    if (!socket.authorized) return refused(`the certificate is not one of this mesh: ${reasonOf(socket)}`);
    if (verdict.trustDomain !== this.#trustDomain) return refused(`it is of the trust domain ${verdict.trustDomain}`);
    const caller = { spiffeId: verdict.id, serialNumber: leaf.serialNumber.toLowerCase(), keySha256: keyHash(leaf) };
    const veto = this.#veto(caller);
    return veto === undefined ? ok(caller) : refused(veto);
  }

  /**
   * The hash of the key that the other end has proven to hold by its handshake, whatever its certificate says of names
   * and dates; undefined without a certificate.
   */
  provenKey(request: IncomingMessage): string | undefined {
    const leaf = certificateOf(request);
    return leaf === undefined ? undefined : keyHash(leaf);
  }
}

function certificateOf({ socket }: IncomingMessage): X509Certificate | undefined {
  // A resumed session proves nothing of a key now; the listener gives no tickets, so that there is none.
  if (!(socket instanceof TLSSocket) || socket.isSessionReused()) return undefined;
  return socket.getPeerX509Certificate();
}

function keyHash(leaf: X509Certificate): string {
  return createHash("sha256")
    .update(leaf.publicKey.export({ format: "der", type: "spki" }))
    .digest("hex");
}

function reasonOf(socket: TLSSocket): string {
  // Node declares an Error here and gives the code as text.
  const reason: unknown = socket.authorizationError;
  return reason instanceof Error ? reason.message : String(reason);
}

function refused(message: string): Result<never, Failure> {
  return err({ kind: svidRequired, message });
}
