// The listening socket of the stream endpoint: TLS 1.3, client certificate required, certificates exchanged while
// running, handshakes in turn.

import { constants } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { MetricRegistry } from "@ripstop/telemetry";

import { HandshakeQueue, type HandshakeLimits } from "./handshake-queue.ts";

/** What the endpoint shows, and whom it trusts. All PEM. */
export interface ServerTls {
  /** Leaf first. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Roots that client certificates must lead to. */
  readonly rootsPem: string;
}

/** What surrounds a TlsListener. */
export interface TlsListenerOptions {
  readonly tls: ServerTls;
  readonly clock: Clock;
  /** A client whose certificate leads to one of the roots. */
  onConnection(socket: TLSSocket): void;
  readonly limits?: Partial<HandshakeLimits>;
  readonly metrics?: MetricRegistry;
}

const HANDSHAKE_MS = 30_000;

/** Accepts connections and makes their handshakes. */
export class TlsListener {
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #queue: HandshakeQueue;
  /** Whose handshake is under way, by `endOf`. */
  readonly #shaking = new Map<string, Socket>();

  constructor(options: TlsListenerOptions) {
    this.#tls = createTlsServer({
      ...contextOf(options.tls),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS,
      ALPNProtocols: ["h2"],
    });
    this.#queue = new HandshakeQueue({ ...options, begin: (socket) => this.#begin(socket) });
    this.#tls.on("secureConnection", (socket) => {
      const raw = this.#shaking.get(endOf(socket));
      if (raw) this.#over(raw);
      socket.on("error", () => socket.destroy());
      options.onConnection(socket);
    });
    this.#server = createServer((socket) => this.#queue.add(socket));
  }

  /** Listens; the port, or why the address cannot be had. */
  listen(host: string, port: number): Promise<Result<number, string>> {
    return new Promise((resolve) => {
      const onError = (error: Error): void => resolve(err(error.message));
      this.#server.once("error", onError);
      this.#server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), () => {
        this.#server.off("error", onError);
        // A single connection that cannot be accepted is no reason to end.
        this.#server.on("error", () => undefined);
        const address = this.#server.address();
        resolve(ok(typeof address === "object" && address !== null ? address.port : port));
      });
    });
  }

  /** Takes effect with the next handshake. */
  setTls(tls: ServerTls): void {
    this.#tls.setSecureContext(contextOf(tls));
  }

  /** Stops listening; ends what has not been handed out. */
  close(): void {
    this.#server.close();
    this.#queue.close();
    for (const socket of this.#shaking.values()) socket.destroy();
    this.#shaking.clear();
  }

  #begin(socket: Socket): void {
    const end = endOf(socket);
    this.#shaking.set(end, socket);
    socket.on("close", () => {
      if (this.#shaking.get(end) === socket) this.#shaking.delete(end);
    });
    this.#tls.emit("connection", socket);
  }

  #over(socket: Socket): void {
    this.#shaking.delete(endOf(socket));
    this.#queue.done(socket);
  }
}

/** The client's end, which is one connection's at a time. */
function endOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
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
