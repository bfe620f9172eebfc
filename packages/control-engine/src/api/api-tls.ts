// The REST API for the network: TLS 1.3, and a bearer token for everything but health.

import { constants } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { KeyedSvid, OwnIdentity } from "@ripstop/identity/authority";

import { apiCertificateUnusable } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { formatAddress, type HostAndPort } from "../on-port.ts";
import type { FrontDoor } from "./access/front-door.ts";
import { closeServer, listenOn, serve, type ApiServerOptions } from "./api-server.ts";
import { Router } from "./router.ts";

/** Where the listener's certificate comes from. */
export type ApiCertificate =
  | { readonly source: "svid"; readonly own: OwnIdentity; readonly rootsPem: () => string }
  | { readonly source: "files"; readonly certificateFile: string; readonly keyFile: string };

/** How to serve. */
export interface ApiTlsOptions extends ApiServerOptions {
  readonly address: HostAndPort;
  readonly certificate: ApiCertificate;
  readonly door: FrontDoor;
  readonly clock: Clock;
}

/** The listener. */
export interface ApiTlsListener {
  readonly port: number;
  /** "HOST:PORT". */
  readonly address: string;
  close(): Promise<void>;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const FILES_PERIOD_MS = 60_000;

/** Serves every route over TLS; fails when the address cannot be had or the certificate is of no use. */
export async function listenOnTls(options: ApiTlsOptions): Promise<Result<ApiTlsListener, Failure>> {
  const { address, certificate, clock, door, audit, logger } = options;
  const router = new Router(options.routes);
  let server: Server;
  try {
    server = createServer(
      { ...contextOf(certificate), handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
      (request, response) => {
        void serve(router, { request, response, readOnly: false, door, audit }, logger);
      },
    );
  } catch (error) {
    return err({ kind: apiCertificateUnusable, message: error instanceof Error ? error.message : String(error) });
  }
  // Bytes that are no TLS, or a handshake that fails: the peer's affair.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  const listened = await listenOn(server, address);
  if (!listened.ok) return listened;
  const renew = (): void => {
    try {
      server.setSecureContext(contextOf(certificate));
    } catch (error) {
      logger?.warn("the new certificate of the API is refused, the one before goes on", {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const unwatch = watch(certificate, clock, renew);
  const { port } = server.address() as AddressInfo;
  return ok({
    port,
    address: formatAddress(address.host, port),
    close: async () => {
      unwatch();
      await closeServer(server);
    },
  });
}

/** Throws what node:fs and node:tls throw. */
function contextOf(certificate: ApiCertificate): Parameters<Server["setSecureContext"]>[0] {
  const common = { minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET } as const;
  if (certificate.source === "files") {
    const { certificateFile, keyFile } = certificate;
    return { ...common, cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  }
  const { chainPem, keyPem } = certificate.own.current;
  // With its root, so that a client that knows only the hash of the root can check the chain.
  return { ...common, cert: chainPem + certificate.rootsPem(), key: keyPem };
}

/** Calls `renew` when there is another certificate; returns how to stop. */
function watch(certificate: ApiCertificate, clock: Clock, renew: () => void): () => void {
  if (certificate.source === "svid") return certificate.own.watch((_: KeyedSvid) => renew());
  const { certificateFile, keyFile } = certificate;
  const stamp = (): string => [certificateFile, keyFile].map(modified).join();
  let seen = stamp();
  const timer = clock.every(FILES_PERIOD_MS, () => {
    const now = stamp();
    if (now === seen) return;
    seen = now;
    renew();
  });
  return () => timer.clear();
}

function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
