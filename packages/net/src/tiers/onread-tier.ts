// The middle tier: net.Socket with its `onread` option, so that all sockets read into one buffer and no stream chunk is
// made. Accepted sockets need a hook of the server's handle; the rest is public.

import { connect, Socket, type OnReadOpts } from "node:net";
import { causeOf } from "../close-cause.ts";
import { acceptHandles } from "./server-handle.ts";
import { SocketConn } from "./socket-conn.ts";
import type { Connecting, ConnectEvents, ConnectTarget, Tier } from "./tier.ts";

const KEEP_ALIVE_MS = 60_000;

let sharedBuffer: Buffer | undefined;

/** The sockets' common read buffer and the way from it to the connection that is set later. */
function onread(holder: { conn?: SocketConn }): OnReadOpts {
  sharedBuffer ??= Buffer.allocUnsafeSlow(256 * 1024);
  const buffer = sharedBuffer;
  return {
    buffer,
    callback(count) {
      holder.conn?.deliver(buffer, 0, count);
      return true;
    },
  };
}

/** Sockets that share one read buffer; use it only when `selfTest` has passed. */
export const onreadTier: Tier = {
  name: "onread",

  attach(server, acceptor) {
    acceptHandles(server, (handle) => {
      const holder: { conn?: SocketConn } = {};
      // `handle` and `manualStart` are what node:net itself passes; the types do not list them.
      const options = { handle, allowHalfOpen: true, manualStart: true, onread: onread(holder) };
      const socket = new Socket(options);
      if (!acceptor.admit()) {
        socket.destroy();
        return;
      }
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      holder.conn = new SocketConn(socket, { delivered: true, onGone: () => acceptor.onGone() });
      acceptor.onConn(holder.conn);
    });
  },

  connect(target: ConnectTarget, events: ConnectEvents): Connecting {
    const holder: { conn?: SocketConn } = {};
    const options = { allowHalfOpen: true, onread: onread(holder) };
    const socket =
      "path" in target
        ? connect({ ...options, path: target.path })
        : connect({
            ...options,
            host: target.address,
            port: target.port,
            family: target.family,
            noDelay: true,
            keepAlive: true,
          });
    const onError = (error: Error): void => events.onFailed(causeOf(error));
    socket.once("error", onError);
    socket.pause();
    const onConnect = (): void => {
      socket.off("error", onError);
      holder.conn = new SocketConn(socket, { delivered: true });
      events.onConnected(holder.conn);
    };
    socket.once("connect", onConnect);
    return {
      cancel() {
        socket.off("error", onError);
        socket.off("connect", onConnect);
        socket.on("error", () => undefined);
        socket.destroy();
      },
    };
  },
};
