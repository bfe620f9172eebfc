// A port for TLS of clients outside the mesh: the hello is read first, and its server name decides who ends the TLS, or
// whether the bytes go on as they are.

import type { Socket } from "node:net";
import { ok, type Clock, type Result, type RipstopError } from "@ripstop/core";
import type { Conn } from "../conn.ts";
import { currentTier } from "../current-tier.ts";
import { listen, type Listener, type ListeningSocket } from "../listen.ts";
import { publicTier } from "../tiers/public-tier.ts";
import { SocketConn } from "../tiers/socket-conn.ts";
import type { Acceptor, Tier } from "../tiers/tier.ts";
import { ClientHelloReader, type ClientHello } from "./client-hello.ts";
import type { EdgeTerminator } from "./edge-terminator.ts";
import { makeRoom, type PendingHandshake } from "./handshake-room.ts";
import { secureConn } from "./secure-conn.ts";
import type { TlsObserver } from "./tls-observer.ts";

/** What becomes of a connection. */
export interface EdgeChoice {
  /** Undefined: the bytes go on as they are, the hello first. */
  readonly terminator: EdgeTerminator | undefined;
  /** Takes the connection; it must set `conn.handler` before it returns. */
  onConn(conn: Conn): void;
}

/** Where to listen, and who decides. */
export interface EdgeListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** A listening socket of another process, instead of the address. */
  readonly socket?: ListeningSocket;
  readonly clock: Clock;
  readonly observer: TlsObserver;
  /** Undefined: nobody serves that name; the connection is closed. */
  readonly choose: (hello: ClientHello) => EdgeChoice | undefined;
  /** Live connections, above which new ones are closed. */
  readonly maxConnections: number;
  /** From accept to the end of the handshake; default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes under way, silent clients included; default 1,024. Above, new connections are closed. */
  readonly maxHandshakes?: number;
}

/**
 * Listens, or says in plain words why that is not possible. Handshakes under way count as connections: who waits for the end
 * of those must not cut these.
 */
export async function listenEdge(options: EdgeListenOptions): Promise<Result<Listener, RipstopError>> {
  const handshakes = new EdgeHandshakes(options);
  const tier: Tier = {
    name: publicTier.name,
    attach(server, acceptor) {
      handshakes.acceptor = acceptor;
      server.on("connection", (socket) => handshakes.start(socket));
      server.on("close", () => handshakes.close());
    },
    connect: publicTier.connect,
  };
  const { host, port, socket, maxConnections } = options;
  const where = socket === undefined ? { host, port } : { socket };
  const opened = await listen({ ...where, maxConnections, tier, onConn: (conn) => handshakes.handOver(conn) });
  return opened.ok ? ok(new EdgeListener(opened.value, handshakes)) : opened;
}

class EdgeListener implements Listener {
  readonly port: number;
  readonly address: string;
  readonly #listener: Listener;
  readonly #handshakes: EdgeHandshakes;

  constructor(listener: Listener, handshakes: EdgeHandshakes) {
    this.port = listener.port;
    this.address = listener.address;
    this.#listener = listener;
    this.#handshakes = handshakes;
  }

  get connections(): number {
    return this.#listener.connections + this.#handshakes.count;
  }

  get socket(): ListeningSocket | undefined {
    return this.#listener.socket;
  }

  close(): void {
    this.#listener.close();
  }
}

/** alert, fatal, unrecognized_name (RFC 8446 section 6.2), in a record of its own. */
const UNRECOGNIZED_NAME: Buffer = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

const HANDSHAKES_PER_TURN = 4;

interface Pending extends PendingHandshake {
  isQueued: boolean;
  readonly done: () => void;
}

class EdgeHandshakes {
  acceptor: Acceptor | undefined = undefined;
  readonly #options: EdgeListenOptions;
  readonly #pending = new Map<Socket, Pending>();
  /** Handshakes that are to be started. */
  readonly #queue: (() => void)[] = [];
  #choice: EdgeChoice | undefined = undefined;

  constructor(options: EdgeListenOptions) {
    this.#options = options;
  }

  /** Handshakes under way. */
  get count(): number {
    return this.#pending.size;
  }

  start(socket: Socket): void {
    const { clock, maxHandshakes = 1_024, handshakeTimeoutMs = 10_000 } = this.#options;
    socket.on("error", () => undefined);
    const sinceMs = clock.monotonicMs();
    if (this.#pending.size >= maxHandshakes) makeRoom(this.#pending.values(), sinceMs);
    if (this.#pending.size >= maxHandshakes || this.acceptor?.admit() !== true) {
      this.#refuse(socket, "too_many_handshakes", "too many handshakes under way, or too many connections");
      return;
    }
    const timer = clock.after(handshakeTimeoutMs, () =>
      this.#refuse(socket, "timeout", `no complete handshake within ${handshakeTimeoutMs} ms`),
    );
    const done = (): void => {
      timer.clear();
      this.#pending.delete(socket);
    };
    const giveUp = (): void => {
      done();
      this.#refuse(socket, "too_many_handshakes", "its peer was the slowest of too many under way");
    };
    const pending: Pending = { sinceMs, isQueued: false, done, giveUp };
    this.#pending.set(socket, pending);
    socket.once("close", done);
    const reader = new ClientHelloReader();
    const held: Buffer[] = [];
    const onReadable = (): void => {
      for (;;) {
        const chunk: unknown = socket.read();
        if (!Buffer.isBuffer(chunk)) return;
        held.push(chunk);
        const state = reader.feed(chunk, 0, chunk.length);
        if (state === "more") continue;
        socket.off("readable", onReadable);
        socket.off("end", onEnd);
        if (state === "invalid" || reader.hello === undefined) {
          this.#refuse(socket, "not_tls", "the first bytes are no TLS hello");
          return;
        }
        socket.unshift(Buffer.concat(held));
        this.#chosen(socket, reader.hello, pending);
        return;
      }
    };
    const onEnd = (): void => this.#refuse(socket, "connection_lost", "the peer closed before its hello was complete");
    socket.on("readable", onReadable);
    socket.once("end", onEnd);
  }

  handOver(conn: Conn): void {
    const choice = this.#choice;
    if (choice === undefined) conn.destroy();
    else choice.onConn(conn);
  }

  close(): void {
    for (const socket of this.#pending.keys()) socket.destroy();
  }

  #chosen(socket: Socket, hello: ClientHello, pending: Pending): void {
    const choice = this.#options.choose(hello);
    if (choice === undefined) {
      socket.end(UNRECOGNIZED_NAME);
      this.#refuse(socket, "unknown_server_name", "no listener is for the server name", false);
      return;
    }
    const { terminator } = choice;
    if (terminator === undefined) {
      pending.done();
      this.#accept(choice, new SocketConn(socket, { onGone: () => this.acceptor?.onGone() }));
      return;
    }
    pending.isQueued = true;
    this.#queue.push(() => {
      pending.isQueued = false;
      if (socket.destroyed) return;
      terminator.accept(socket, hello.serverName, {
        onSecure: (secured, info) => {
          pending.done();
          this.#options.observer.accepted("server", info.resumed);
          this.#accept(
            choice,
            secureConn(secured, currentTier().name, { tls: info, onGone: () => this.acceptor?.onGone() }),
          );
        },
        onFailed: (reason, message) => this.#refuse(socket, reason, message),
      });
    });
    if (this.#queue.length === 1) setImmediate(() => this.#startSome());
  }

  /** A few at a turn, so that a burst does not stall traffic. */
  #startSome(): void {
    const some = this.#queue.slice(0, HANDSHAKES_PER_TURN);
    for (const start of some) start();
    this.#queue.splice(0, some.length);
    if (this.#queue.length > 0) setImmediate(() => this.#startSome());
  }

  #accept(choice: EdgeChoice, conn: Conn): void {
    this.#choice = choice;
    this.acceptor?.onConn(conn);
    this.#choice = undefined;
  }

  #refuse(socket: Socket, reason: string, message: string, destroy: boolean = true): void {
    const peer = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    this.#options.observer.refused({ reason, message, side: "server", peer });
    if (destroy) socket.destroy();
    else socket.destroySoon();
  }
}
