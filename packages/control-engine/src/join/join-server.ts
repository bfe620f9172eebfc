// The join listener: TLS 1.3 under the control plane's own SVID. The chain is sent with its root, so that a joiner that
// knows only the hash of the root can check it. A client certificate is asked for and never required here: routes do.

import { constants } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";

import { ok, type Result } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { closeServer, listenOn, serve } from "../api/api-server.ts";
import { Router, type Route } from "../api/router.ts";
import type { Failure } from "../failure.ts";

/** Certificate, key and the roots that clients are checked against, PEM. */
export interface JoinTls {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly rootsPem: string;
}

/** How to serve. */
export interface JoinServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: JoinTls;
  readonly routes: readonly Route[];
  readonly logger: Logger | undefined;
}

/** The listener. */
export interface JoinServer {
  readonly port: number;
  /** New connections get the new certificate and are checked against the new roots. */
  setTls(tls: JoinTls): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 4_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Heartbeats come every few seconds on one connection. */
const KEEP_ALIVE_MS = 30_000;

/** Listens; fails when the address cannot be had. */
export async function startJoinServer(options: JoinServerOptions): Promise<Result<JoinServer, Failure>> {
  const router = new Router(options.routes);
  const server: Server = createServer(
    {
      ...contextOf(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    (request, response) => void serve(router, { request, response, readOnly: false }, options.logger),
  );
  // Bytes that are no TLS, or a handshake that fails: the peer's affair.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const listened = await listenOn(server, { host: options.host, port: options.port });
  if (!listened.ok) return listened;
  server.maxConnections = MAX_CONNECTIONS;
  return ok({
    port: (server.address() as AddressInfo).port,
    setTls: (tls) => server.setSecureContext(contextOf(tls)),
    close: () => closeServer(server),
  });
}

function contextOf({ chainPem, keyPem, rootsPem }: JoinTls): Parameters<Server["setSecureContext"]>[0] {
  return {
    cert: chainPem + rootsPem,
    key: keyPem,
    ca: rootsPem,
    minVersion: "TLSv1.3",
    // Every connection proves its key anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
