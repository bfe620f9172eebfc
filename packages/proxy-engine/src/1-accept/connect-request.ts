// CONNECT HOST:PORT at the HTTP proxy (RFC 9110 §9.3.6): TLS clients, gRPC clients, anything that is not plain HTTP.
// To a service of the mesh, what is inside is treated like any outbound connection; to the outside it is passed on.

import {
  ResponseHead,
  StreamErrorCode,
  type HeaderList,
  type RequestHead,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import type { Timer } from "@ripstop/core";
import type { CloseCause, Conn, Connecting, DialEvents } from "@ripstop/net";
import { formatAuthority, parseAuthority, type HostPort } from "../2-identify/authority.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { refusal, sendRefusal, type Refusal } from "../7-connect/local-reply.ts";
import { noInstance } from "../7-connect/outbound-refusals.ts";
import { StreamConn } from "../7-connect/stream-conn.ts";
import {
  configNotReceived,
  missingHost,
  proxyLoop,
  tooManyWaiting,
  unknownHost,
  unknownServicePort,
} from "../errors.ts";
import type { OutboundContext } from "./outbound-context.ts";

const CONFIG_WAIT_MS = 5_000;
const DIAL_TIMEOUT_MS = 5_000;

/** One CONNECT. Make it, then call `start`. */
export class ConnectRequest implements ServerStreamHandler, HostWaiter, DialEvents {
  readonly #context: OutboundContext;
  readonly #stream: ServerStream;
  readonly #request: RequestHead;
  #target: HostPort = { host: "", port: 0 };
  #host: HostEntry | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #dialing: Connecting | undefined = undefined;
  #conn: StreamConn | undefined = undefined;
  #over = false;

  constructor(context: OutboundContext, stream: ServerStream, head: RequestHead) {
    this.#context = context;
    this.#stream = stream;
    this.#request = context.engine.heads.take();
    this.#request.copyFrom(head);
    context.engine.live.exchanges++;
  }

  /** Finds out where it goes. */
  start(): void {
    const target = parseAuthority(this.#request.authority);
    if (target === undefined || target.port === 0) {
      this.#refuse(refusal(missingHost, "CONNECT needs HOST:PORT"));
      return;
    }
    this.#target = target;
    const { hosts, engine } = this.#context;
    const host = hosts.lookup(target.host);
    this.#host = host;
    if (host === undefined) this.#refuse(refusal(tooManyWaiting, "too many host names are in use"));
    else if (host.ready) this.onHostReady(host);
    else if (hosts.wait(host, this)) {
      this.#timer = engine.clock.after(CONFIG_WAIT_MS, () => {
        hosts.cancelWait(host, this);
        this.#refuse(
          refusal(configNotReceived, `the config of ${target.host} did not arrive within ${CONFIG_WAIT_MS} ms`),
        );
      });
    } else this.#refuse(refusal(tooManyWaiting, `too many requests wait for the config of ${target.host}`));
  }

  onHostReady(host: HostEntry): void {
    this.#timer?.clear();
    if (this.#over) return;
    const { frontend } = host;
    const { host: name, port } = this.#target;
    if (frontend !== undefined) {
      const { cluster } = frontend;
      if (cluster.port(port) === undefined) {
        const ports = cluster.config?.ports.map((entry) => entry.port).join(", ") ?? "none";
        this.#refuse(refusal(unknownServicePort, `${frontend.service} has no port ${port}: it has ${ports}`));
        return;
      }
      // A tunnel that opens could not be told why it closes.
      if (cluster.config?.external?.gateway !== undefined && cluster.endpoints.all.length === 0)
        this.#refuse(noInstance(cluster, ""));
      else this.#context.serveConnection(this.#accept(), this.#target);
      return;
    }
    if (this.#context.isOwnAddress(this.#target)) {
      this.#refuse(refusal(proxyLoop, `${name}:${port} is the proxy itself`));
      return;
    }
    const refused = this.#context.egress.check(this.#target, "tcp");
    if (refused !== undefined) {
      this.#refuse(refused);
      return;
    }
    this.#dialing = this.#context.connector.dialPlain({ host: name, port }, DIAL_TIMEOUT_MS, this);
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    const { engine, tunnels } = this.#context;
    const authority = formatAuthority(this.#target.host, this.#target.port);
    const edge = this.#context.edge(undefined, this.#target.host, "tcp");
    new LiveTunnel(this.#accept(), conn, {
      engine,
      edge,
      registry: tunnels,
      authority,
      workload: "",
      tlsVersion: "",
      recheck: undefined,
    });
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    const address = formatAuthority(this.#target.host, this.#target.port);
    this.#refuse(
      refusal(
        unknownHost,
        `${this.#target.host} is not a service of the mesh, and ${address} is not reachable: ${cause.message}`,
      ),
    );
  }

  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#conn === undefined) this.#stream.consumed(end - start);
    else this.#conn.onBody(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#conn?.onTrailers(trailers);
  }

  onEnd(): void {
    if (this.#conn === undefined && !this.#over) this.#stream.reset(StreamErrorCode.CANCEL);
    this.#conn?.onEnd();
  }

  onWritable(): void {
    this.#conn?.onWritable();
  }

  onReset(code: number, cause: string): void {
    this.#conn?.onReset(code, cause);
    this.#finish();
  }

  /** Opens the tunnel towards the client. */
  #accept(): Conn {
    const head = new ResponseHead();
    this.#stream.sendResponse(head, false);
    this.#conn = new StreamConn(this.#stream, {
      remoteAddress: "127.0.0.1",
      remotePort: 0,
      localAddress: "",
      localPort: 0,
      tls: undefined,
    });
    this.#finish();
    return this.#conn;
  }

  #refuse(refused: Refusal): void {
    if (this.#over) return;
    sendRefusal(this.#stream, this.#request, refused, this.#context.engine.clock.nowMs());
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.clear();
    this.#dialing?.cancel();
    if (this.#host !== undefined) this.#context.hosts.cancelWait(this.#host, this);
    this.#context.engine.live.exchanges--;
    this.#context.engine.heads.release(this.#request);
  }
}
