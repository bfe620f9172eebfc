// Ends TLS of clients outside the mesh with the certificates of one listener. Its settings never change: other certificates
// are another terminator, and connections that are open keep theirs.

import { X509Certificate } from "node:crypto";
import { Socket } from "node:net";
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from "node:tls";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { causeOf } from "../close-cause.ts";
import type { TlsInfo } from "../conn.ts";
import { UNUSABLE_IDENTITY } from "../errors.ts";
import { KEY_EXCHANGE_GROUPS } from "./crypto-preferences.ts";
import { handshakeProblem } from "./handshake-problem.ts";

/** A certificate chain, leaf first, and its key; PEM. */
export interface EdgeCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
}

/** What a terminator shows and asks for. */
export interface EdgeTerminatorOptions {
  /** At least one; the first is for names that none fits. */
  readonly certificates: readonly EdgeCertificate[];
  /** Protocols in the order of preference; empty: ALPN is not answered. */
  readonly alpn: readonly string[];
  /** Absent: clients are not asked for a certificate. */
  readonly clients?: {
    readonly rootsPem: string;
    /** Whether a client must have a certificate of one of the roots. */
    readonly required: boolean;
  };
}

/** How a handshake ends. */
export interface EdgeHandshakeEvents {
  /** Called in the turn in which the handshake ended. */
  onSecure(socket: TLSSocket, info: TlsInfo): void;
  onFailed(reason: string, message: string): void;
}

interface Shown {
  readonly leaf: X509Certificate;
  readonly context: SecureContext;
}

/** TLS as one listener ends it. */
export class EdgeTerminator {
  readonly #shown: readonly Shown[];
  readonly #server: Server;
  readonly #pending = new WeakMap<Socket, { readonly serverName: string; readonly events: EdgeHandshakeEvents }>();

  private constructor(shown: readonly Shown[], options: EdgeTerminatorOptions) {
    this.#shown = shown;
    const { alpn, clients } = options;
    this.#server = createServer({
      ...settings(options.certificates[0], options),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      requestCert: clients !== undefined,
      rejectUnauthorized: clients?.required === true,
      // The listener has a timer of its own.
      handshakeTimeout: 3_600_000,
      SNICallback: (name, done) => done(null, this.#contextOf(name)),
    });
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  /** Fails with RS5010 when a certificate, key or root cannot be used. */
  static create(options: EdgeTerminatorOptions): Result<EdgeTerminator, RipstopError> {
    try {
      const shown = options.certificates.map((certificate) => ({
        leaf: new X509Certificate(certificate.chainPem),
        context: createSecureContext(settings(certificate, options)),
      }));
      if (shown.length === 0) throw new Error("there is no certificate");
      return ok(new EdgeTerminator(shown, options));
    } catch (error) {
      return err(new RipstopError(UNUSABLE_IDENTITY, causeOf(error).message));
    }
  }

  /** Takes a socket that nobody has read from, or to which all that was read was given back. */
  accept(socket: Socket, serverName: string, events: EdgeHandshakeEvents): void {
    this.#pending.set(socket, { serverName, events });
    this.#server.emit("connection", socket);
  }

  #contextOf(serverName: string): SecureContext | undefined {
    const fitting = this.#shown.find(({ leaf }) => leaf.checkHost(serverName) !== undefined);
    return (fitting ?? this.#shown[0])?.context;
  }

  #take(socket: TLSSocket): { readonly serverName: string; readonly events: EdgeHandshakeEvents } | undefined {
    // node:tls does not say which socket a handshake belongs to, but in an undocumented field that has always been there.
    const below: unknown = Reflect.get(socket, "_parent");
    if (!(below instanceof Socket)) return undefined;
    const pending = this.#pending.get(below);
    this.#pending.delete(below);
    return pending;
  }

  #secured(socket: TLSSocket): void {
    const pending = this.#take(socket);
    if (pending === undefined) {
      socket.destroy();
      return;
    }
    pending.events.onSecure(socket, {
      version: socket.getProtocol() ?? "",
      cipher: socket.getCipher().name,
      alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
      serverName: pending.serverName,
      peerId: "",
      peerSerial: socket.authorized ? (socket.getPeerX509Certificate()?.serialNumber ?? "") : "",
      resumed: socket.isSessionReused(),
    });
  }

  #failed(error: Error, socket: TLSSocket): void {
    socket.on("error", () => undefined);
    const [reason, message] =
      error.message === "" ? (["handshake", "the handshake failed"] as const) : handshakeProblem(error);
    this.#take(socket)?.events.onFailed(reason, message);
    socket.destroy();
  }
}

function settings(certificate: EdgeCertificate | undefined, { clients }: EdgeTerminatorOptions): SecureContextOptions {
  return {
    cert: certificate?.chainPem ?? "",
    key: certificate?.keyPem ?? "",
    minVersion: "TLSv1.2",
    ...(KEY_EXCHANGE_GROUPS === undefined ? {} : { ecdhCurve: KEY_EXCHANGE_GROUPS }),
    ...(clients === undefined ? {} : { ca: clients.rootsPem }),
  };
}
