// The accepting side of mutual TLS: one listener, many workloads, chosen by server name.

import type { Result, RipstopError } from "@ripstop/core";
import { currentTier } from "../current-tier.ts";
import { listen, type Listener, type ListenOptions } from "../listen.ts";
import type { StreamHandle } from "../tiers/libuv.ts";
import { publicTier } from "../tiers/public-tier.ts";
import { acceptHandles } from "../tiers/server-handle.ts";
import type { Tier } from "../tiers/tier.ts";
import type { AcceptTlsOptions } from "./accept-options.ts";
import { RawHandshakes } from "./raw-handshakes.ts";
import { SocketHandshakes } from "./socket-handshakes.ts";
import { rawTlsProblem } from "./tls-binding.ts";

/** How to listen and accept. */
export interface ListenTlsOptions extends Omit<ListenOptions, "tier">, AcceptTlsOptions {}

/**
 * Listens for mutual TLS 1.3. `onConn` gets connections whose peer is verified, `conn.tls` complete. Peers without an
 * acceptable certificate, or that ask for a workload which is not served here, are closed before any byte passes.
 */
export function listenTls(options: ListenTlsOptions): Promise<Result<Listener, RipstopError>> {
  const { host, port, path, socket, backlog, maxConnections, onConn } = options;
  return listen({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    ...(socket === undefined ? {} : { socket }),
    ...(backlog === undefined ? {} : { backlog }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    onConn,
    tier: tlsServerTier(options),
  });
}

function tlsServerTier(options: ListenTlsOptions): Tier {
  // node:tls' sockets can be read before their handshake, and what was read too much be given back: handles cannot.
  const raw =
    options.proxyProtocol !== true &&
    (options.tierName ?? currentTier().name) === "raw" &&
    rawTlsProblem() === undefined;
  return {
    name: publicTier.name,
    attach(server, acceptor) {
      if (raw) {
        const handshakes = new RawHandshakes(options, acceptor);
        acceptHandles<StreamHandle>(server, (handle) => handshakes.start(handle));
        server.on("close", () => handshakes.close());
        return;
      }
      const handshakes = new SocketHandshakes(options, acceptor);
      server.on("connection", (socket) => handshakes.start(socket));
      server.on("close", () => handshakes.close());
    },
    connect: publicTier.connect,
  };
}
