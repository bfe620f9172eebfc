// The portable tier: net.Socket with its documented interface only. Works wherever Node works.

import { connect } from "node:net";
import { causeOf } from "../close-cause.ts";
import { SocketConn } from "./socket-conn.ts";
import type { Connecting, ConnectEvents, ConnectTarget, Tier } from "./tier.ts";

/** Sockets through documented interfaces only. */
export const publicTier: Tier = {
  name: "public",

  attach(server, acceptor) {
    server.on("connection", (socket) => {
      if (acceptor.admit()) acceptor.onConn(new SocketConn(socket, { onGone: () => acceptor.onGone() }));
      else socket.destroy();
    });
  },

  connect(target: ConnectTarget, events: ConnectEvents): Connecting {
    const socket =
      "path" in target
        ? connect({ path: target.path, allowHalfOpen: true })
        : connect({
            host: target.address,
            port: target.port,
            family: target.family,
            allowHalfOpen: true,
            noDelay: true,
            keepAlive: true,
          });
    const onError = (error: Error): void => events.onFailed(causeOf(error));
    const ignore = (): void => {};
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      events.onConnected(new SocketConn(socket));
    });
    return {
      cancel() {
        socket.off("error", onError);
        socket.on("error", ignore);
        socket.removeAllListeners("connect");
        socket.destroy();
      },
    };
  },
};
