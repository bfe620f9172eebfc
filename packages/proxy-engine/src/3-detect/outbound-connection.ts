// A byte connection of the application to some host and port: finds out what it speaks, then serves it as HTTP or joins
// it to the service as raw bytes. The declared protocol decides first, then the first bytes. A server that speaks first
// is dialled while the client is silent, and whoever speaks first decides; no timeout ever turns HTTP into raw bytes.
// TLS of the application itself passes as it is: its ClientHello is awaited, and its server name says where it goes when
// the address does not.

import type { Timer } from "@ripstop/core";
import { Protocol } from "@ripstop/model";
import { isIP } from "node:net";
import {
  ClientHelloReader,
  MAX_HELLO_RECORD_BYTES,
  type CloseCause,
  type Conn,
  type ConnHandler,
  type Connecting,
  type DialEvents,
} from "@ripstop/net";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import { OutboundAcceptor, serveOutboundHttp } from "../1-accept/outbound-http.ts";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { LiveTunnel, type EnteredBy } from "../7-connect/live-tunnel.ts";
import { TunnelAttempt, type TunnelEvents } from "../7-connect/tunnel-attempt.ts";
import { FIRST_BYTE_TIMEOUT_MS, HEAD_TIMEOUT_MS, SILENCE_MS } from "../settings.ts";
import { detectProtocol } from "./protocol-detector.ts";

const CONFIG_WAIT_MS = 5_000;
const DIAL_TIMEOUT_MS = 5_000;
/** First bytes that are held before the client is told to wait: the longest ClientHello in records, and what came with it. */
const MAX_HELD = MAX_HELLO_RECORD_BYTES + 1;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** Where a connection goes. */
export interface ConnectionTarget extends HostPort {
  /** The client named the host by TLS server name only, so that the port is a guess. */
  readonly byServerName?: boolean;
  /** How it came in, when it came in by a gateway. */
  readonly entered?: EnteredBy;
}

/** Takes a connection over until it is known what it speaks. Make it in the turn in which the connection comes. */
export class OutboundConnection implements ConnHandler, HostWaiter, TunnelEvents, DialEvents {
  readonly #context: OutboundContext;
  readonly #conn: Conn;
  #target: ConnectionTarget;
  /** The address that the client named, when the server name took its place. */
  #address: HostPort | undefined = undefined;
  #host: HostEntry | undefined;
  #timer: Timer | undefined = undefined;
  #firstBytes: Timer | undefined = undefined;
  #memory: Buffer = NO_BYTES;
  /** What was read and not passed on: the beginning of `#memory`. */
  #held: Buffer = NO_BYTES;
  #clientEnded = false;
  /** HTTP, raw, or gone: nothing is left to find out. */
  #decided = false;
  #cluster: Cluster | undefined = undefined;
  #servicePort = 0;
  #protocol: Protocol = Protocol.UNSPECIFIED;
  /** The host is not of the mesh: its address is dialled as it is. */
  #outside = false;
  #tunnel: TunnelAttempt | undefined = undefined;
  #dialing: Connecting | undefined = undefined;
  /** The server's side, connected and silent so far. */
  #server: { readonly conn: Conn; readonly endpoint: UpstreamEndpoint | undefined } | undefined = undefined;
  #failure: { readonly cause: string; readonly denied: boolean } | undefined = undefined;
  /** The client's bytes are not HTTP: join as soon as the server is connected. */
  #raw = false;
  /** Reads the client's ClientHello; undefined before TLS was seen. */
  #hello: ClientHelloReader | undefined = undefined;
  /** Bytes that `#hello` has read. */
  #helloRead = 0;
  #serverName = "";

  constructor(context: OutboundContext, conn: Conn, target: ConnectionTarget) {
    this.#context = context;
    this.#conn = conn;
    this.#target = target;
    conn.handler = this;
    this.#findHost();
  }

  /** Looks the target up; `onHostReady` follows, maybe at once. */
  #findHost(): void {
    const context = this.#context;
    const target = this.#target;
    const host = context.hosts.lookup(target.host);
    this.#host = host;
    if (host === undefined) {
      this.#give("too many host names are in use");
    } else if (host.ready) {
      this.onHostReady(host);
    } else if (context.hosts.wait(host, this)) {
      this.#timer = context.engine.clock.after(CONFIG_WAIT_MS, () => {
        context.hosts.cancelWait(host, this);
        this.#give(`the config of ${target.host} did not arrive within ${CONFIG_WAIT_MS} ms`);
      });
    } else {
      this.#give("too many connections wait for config");
    }
  }

  onHostReady(host: HostEntry): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#decided) return;
    const cluster = host.frontend?.cluster;
    const { port: wantedPort, byServerName = false } = this.#target;
    const port = byServerName ? cluster?.tlsPort(wantedPort) : cluster?.port(wantedPort);
    if (cluster === undefined && this.#target.port !== 0 && !this.#context.isOwnAddress(this.#target)) {
      this.#outside = true;
    } else if (cluster === undefined || port === undefined) {
      // HTTP clients get an explained answer; raw ones can only be closed.
      const { host: name, port: wanted } = this.#target;
      const cause =
        cluster === undefined ? `${name} is not a service of the mesh` : `${cluster.service} has no port ${wanted}`;
      this.#failure = { cause, denied: false };
    } else {
      this.#cluster = cluster;
      this.#servicePort = port.port;
      this.#protocol = port.protocol;
      const routed = host.frontend?.connectionBackend(port.port, this.#context.engine.random);
      if (routed !== undefined) {
        // A TCPRoute decides, whatever the connection carries.
        this.#protocol = Protocol.TCP;
        if (!routed.ok) this.#failure = { cause: routed.error, denied: false };
        else ({ cluster: this.#cluster, port: this.#servicePort } = routed.value);
      }
    }
    if (this.#protocol === Protocol.TCP || this.#hello?.state === "complete") {
      this.#raw = true;
      this.#startTunnel();
      return;
    }
    if (this.#protocol === Protocol.TLS && this.#held.length === 0) {
      this.#firstBytes ??= this.#context.engine.clock.after(FIRST_BYTE_TIMEOUT_MS, () =>
        this.#give("the client of a TLS service sent nothing"),
      );
      return;
    }
    if (this.#held.length > 0) this.#look();
    else if (this.#protocol === Protocol.UNSPECIFIED && (this.#cluster !== undefined || this.#outside)) {
      this.#timer = this.#context.engine.clock.after(SILENCE_MS, () => this.#startTunnel());
    }
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#hold(buf, start, end);
    if (this.#held.length >= MAX_HELD) this.#conn.pause();
    if (!this.#raw && this.#host?.ready === true) this.#look();
  }

  onEnd(): void {
    this.#clientEnded = true;
    if (this.#raw || this.#host?.ready !== true) return;
    if (this.#hello !== undefined || this.#protocol === Protocol.TLS) {
      this.#give("the client ended before its TLS hello was complete");
      return;
    }
    // Nothing more comes, so what there is decides.
    if (
      this.#held.length === 0 &&
      this.#tunnel === undefined &&
      this.#dialing === undefined &&
      this.#server === undefined
    )
      this.#give("the client ended without a byte");
    else {
      this.#raw = true;
      this.#firstBytes?.clear();
      if (this.#server === undefined) this.#startTunnel();
      else this.#join();
    }
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#giveUp();
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    this.#connected(conn, undefined);
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    this.onTunnelFailed(
      `${this.#target.host} is not a service of the mesh, and is not reachable: ${cause.message}`,
      false,
    );
  }

  onTunnelOpen(conn: Conn, endpoint: UpstreamEndpoint): void {
    this.#connected(conn, endpoint);
  }

  #connected(conn: Conn, endpoint: UpstreamEndpoint | undefined): void {
    this.#server = { conn, endpoint };
    if (this.#raw) {
      this.#join();
      return;
    }
    const { tunnelIdleMs, clock } = this.#context.engine;
    if (tunnelIdleMs > 0)
      this.#timer = clock.after(tunnelIdleMs, () => this.#give("neither the client nor the server spoke"));
    // The client is silent: if the server speaks now, the protocol is one in which servers speak first.
    conn.handler = {
      onBytes: (buf, start, end) => {
        const greeting = Buffer.from(buf.subarray(start, end));
        this.#join();
        this.#conn.write(greeting, 0, greeting.length);
      },
      onEnd: () => this.#join(),
      onDrain: () => undefined,
      onClose: (cause) => {
        this.#server = undefined;
        this.#failure = { cause: cause.message, denied: false };
      },
    };
  }

  onTunnelFailed(cause: string, denied: boolean): void {
    this.#tunnel = undefined;
    this.#failure = { cause, denied };
    // While the client is silent this decides nothing: it may yet turn out to speak HTTP.
    if (this.#raw) this.#refuse();
  }

  /** Looks at the first bytes. */
  #look(): void {
    const declaredHttp =
      this.#protocol === Protocol.HTTP1 || this.#protocol === Protocol.HTTP2 || this.#protocol === Protocol.GRPC;
    const detected = this.#hello === undefined ? detectProtocol(this.#held, 0, this.#held.length) : "tls";
    if (this.#protocol === Protocol.TLS || (detected === "tls" && !declaredHttp)) {
      this.#readHello();
      return;
    }
    if (detected === "more") {
      // What may be the start of a request is never taken for raw bytes; it has to go on.
      this.#firstBytes ??= this.#context.engine.clock.after(HEAD_TIMEOUT_MS, () =>
        this.#give("the first bytes could be HTTP, and did not go on"),
      );
      return;
    }
    if (detected === "http1" || detected === "http2" || declaredHttp) {
      this.#serveHttp(detected === "http2");
      return;
    }
    this.#goRaw();
  }

  /** Keeps first bytes, at a cost in proportion to them however small their pieces are. */
  #hold(buf: Buffer, start: number, end: number): void {
    const length = this.#held.length + end - start;
    if (length > this.#memory.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#memory.length));
      this.#held.copy(grown);
      this.#memory = grown;
    }
    buf.copy(this.#memory, this.#held.length, start, end);
    this.#held = this.#memory.subarray(0, length);
  }

  /** The client speaks TLS: everything waits for its whole hello, but for a time. */
  #readHello(): void {
    const hello = (this.#hello ??= new ClientHelloReader());
    const state = hello.feed(this.#held, this.#helloRead, this.#held.length);
    if (this.#helloRead === 0) {
      this.#timer?.clear();
      this.#firstBytes?.clear();
      this.#firstBytes = this.#context.engine.clock.after(HEAD_TIMEOUT_MS, () =>
        this.#give("the client's TLS hello did not go on"),
      );
    }
    this.#helloRead = this.#held.length;
    if (state === "more") return;
    if (state === "invalid" && this.#protocol === Protocol.TLS) {
      this.#give("the service is declared as TLS, and the client's first bytes are no TLS hello");
      return;
    }
    this.#firstBytes?.clear();
    this.#serverName = hello.hello?.serverName ?? "";
    const external = this.#cluster?.config?.external;
    if (external !== undefined && this.#serverName !== external.host) {
      const named = this.#serverName === "" ? "no server name" : `the server name ${this.#serverName}`;
      this.#give(`the TLS hello has ${named}, and the connection is for ${external.host} outside the mesh`);
      return;
    }
    // An address says less than a name.
    if (this.#outside && this.#serverName !== "" && isIP(this.#target.host) !== 0) {
      this.#dropTunnel();
      if (this.#host !== undefined) this.#context.hosts.cancelWait(this.#host, this);
      this.#address = this.#target;
      this.#target = { host: this.#serverName, port: this.#target.port, byServerName: true };
      this.#outside = false;
      this.#failure = undefined;
      this.#findHost();
      return;
    }
    this.#goRaw();
  }

  #goRaw(): void {
    this.#timer?.clear();
    this.#firstBytes?.clear();
    this.#raw = true;
    if (this.#server !== undefined) this.#join();
    else this.#startTunnel();
  }

  #serveHttp(http2: boolean): void {
    this.#decided = true;
    this.#dropTunnel();
    const held = this.#held;
    this.#held = NO_BYTES;
    this.#memory = NO_BYTES;
    const handler = serveOutboundHttp(this.#context, this.#conn, {
      acceptor: new OutboundAcceptor(this.#context, this.#target, this.#conn),
      http2,
    });
    if (held.length > 0) handler.onBytes(held, 0, held.length);
    this.#conn.resume();
    if (this.#clientEnded) handler.onEnd();
  }

  #startTunnel(): void {
    if (this.#decided || this.#tunnel !== undefined || this.#dialing !== undefined || this.#server !== undefined)
      return;
    if (this.#outside && this.#failure === undefined) {
      const target = this.#address ?? this.#target;
      const refused = this.#context.egress.check({ host: this.#target.host, port: target.port }, "tcp");
      if (refused !== undefined) {
        // A client that turns out to speak HTTP gets the answer of its request.
        this.#failure = { cause: refused.message, denied: true };
        if (this.#raw) this.#refuse();
        return;
      }
      this.#dialing = this.#context.connector.dialPlain(target, DIAL_TIMEOUT_MS, this);
      return;
    }
    if (this.#cluster === undefined || this.#failure !== undefined) {
      if (this.#raw) this.#refuse();
      return;
    }
    this.#tunnel = new TunnelAttempt(
      this.#context,
      { cluster: this.#cluster, servicePort: this.#servicePort, protocol: this.#protocol, client: this.#conn },
      this,
    );
    this.#tunnel.start();
  }

  /** Joins client and server as raw bytes. */
  #join(): void {
    const server = this.#server;
    if (server === undefined || this.#decided) return;
    this.#decided = true;
    this.#timer?.clear();
    this.#firstBytes?.clear();
    const held = this.#held;
    this.#held = NO_BYTES;
    this.#memory = NO_BYTES;
    const edge = this.#context.edge(server.endpoint, this.#cluster?.service ?? this.#target.host, "tcp");
    // Before the splice, so that its view of the queue includes them.
    if (held.length > 0) server.conn.write(held, 0, held.length);
    const tunnel = new LiveTunnel(this.#conn, server.conn, {
      engine: this.#context.engine,
      edge,
      registry: this.#context.tunnels,
      authority: formatAuthority(this.#serverName || this.#target.host, this.#servicePort || this.#target.port),
      workload: server.endpoint?.id ?? "",
      tlsVersion: this.#tunnel?.tlsVersion ?? "",
      recheck: this.#target.entered?.recheck,
      entered: this.#target.entered,
    });
    tunnel.countEarly(held.length, 0);
    if (this.#clientEnded) server.conn.end();
  }

  #refuse(): void {
    const failure = this.#failure ?? { cause: "no connection", denied: false };
    this.#context.edge(undefined, this.#cluster?.service ?? this.#target.host, "tcp").recordRefused(failure.denied);
    this.#give(failure.cause);
  }

  /** Closes the client's connection and says why in the log. */
  #give(cause: string): void {
    if (this.#decided) return;
    this.#context.engine.log.warn("connection refused", { host: this.#target.host, port: this.#target.port, cause });
    this.#giveUp();
    this.#conn.destroy(true);
  }

  #giveUp(): void {
    this.#decided = true;
    if (this.#host !== undefined) this.#context.hosts.cancelWait(this.#host, this);
    this.#dropTunnel();
    this.#held = NO_BYTES;
    this.#memory = NO_BYTES;
  }

  #dropTunnel(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#firstBytes?.clear();
    this.#tunnel?.cancel();
    this.#tunnel = undefined;
    this.#dialing?.cancel();
    this.#dialing = undefined;
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) {
      server.conn.handler = {
        onBytes: () => undefined,
        onEnd: () => undefined,
        onDrain: () => undefined,
        onClose: () => undefined,
      };
      server.conn.destroy();
    }
  }
}
