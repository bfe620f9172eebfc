// A raw byte connection to an instance of a service: an HBONE tunnel to a mesh peer (HTTP/2 CONNECT over mutual TLS), a
// plain connection otherwise. Instances that cannot be reached are passed over for others.

import { RequestHead, StreamErrorCode, type ClientStream, type HeaderList, type ResponseHead } from "@ripstop/http";
import type { Protocol } from "@ripstop/model";
import type { CloseCause, Conn, Connecting, DialEvents } from "@ripstop/net";
import { tellForwardedFor } from "../2-identify/forwarded-for.ts";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import type { HttpPool, StreamWaiter, UpstreamConnection } from "./http-pool.ts";
import { proxyHeader } from "./proxy-header.ts";
import { writeConnect } from "./http2-pool.ts";
import { ERROR_HEADER } from "./local-reply.ts";
import { noInstance } from "./outbound-refusals.ts";
import { StreamConn } from "./stream-conn.ts";
import { TUNNEL_DENIED } from "./tunnel-dial.ts";

/** How a tunnel attempt ends: exactly one of these, unless it was cancelled. */
export interface TunnelEvents {
  /** The handler of `conn` must be set before this returns. */
  onTunnelOpen(conn: Conn, endpoint: UpstreamEndpoint): void;
  onTunnelFailed(cause: string, denied: boolean): void;
}

/** Which service and port. */
export interface TunnelTarget {
  readonly cluster: Cluster;
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** For whom. */
  readonly client: Conn;
}

const connectHead: RequestHead = new RequestHead();

/** Opens one tunnel. Make it, then call `start`. */
export class TunnelAttempt implements StreamWaiter, DialEvents {
  readonly #context: OutboundContext;
  readonly #target: TunnelTarget;
  readonly #events: TunnelEvents;
  readonly #tried: UpstreamEndpoint[] = [];
  #endpoint: UpstreamEndpoint | undefined = undefined;
  #port = 0;
  #pool: HttpPool | undefined = undefined;
  #stream: ClientStream | undefined = undefined;
  #tlsVersion = "";
  #conn: StreamConn | undefined = undefined;
  #dialing: Connecting | undefined = undefined;
  #over = false;

  constructor(context: OutboundContext, target: TunnelTarget, events: TunnelEvents) {
    this.#context = context;
    this.#target = target;
    this.#events = events;
  }

  /** Chooses an instance and connects. */
  start(): void {
    const { cluster, servicePort } = this.#target;
    const caller = { address: this.#target.client.remoteAddress, identity: this.#context.spiffeId };
    const endpoint = cluster.pickFor(caller, this.#tried);
    if (endpoint === undefined) {
      this.#fail(noInstance(cluster, "").message, false);
      return;
    }
    const port = endpoint.targetPort(servicePort);
    if (port === 0) {
      this.#fail(`${endpoint.id} does not serve port ${servicePort}`, false);
      return;
    }
    this.#endpoint = endpoint;
    this.#port = port;
    if (endpoint.mesh) {
      const problem = cluster.refusedTls(cluster.port(servicePort));
      if (problem !== "") {
        this.#fail(problem, false);
        return;
      }
      this.#pool = endpoint.pool(servicePort, this.#target.protocol, false);
      this.#pool.acquire(this);
    } else if (endpoint.hbone) {
      const { connector } = this.#context;
      this.#dialing = connector.dialTunnel(
        endpoint.tunnels,
        { ...endpoint.plainAddress(port), client: this.#target.client },
        cluster.settings.connectTimeoutMs,
        this,
      );
    } else {
      const { client } = this.#target;
      const { host } = endpoint.plainAddress(port);
      const header = proxyHeader(cluster.port(servicePort)?.proxyProtocol, {
        source: { address: client.remoteAddress, port: client.remotePort },
        destination:
          client.proxied === true ? { address: client.localAddress, port: client.localPort } : { address: host, port },
      });
      const tls = cluster.backendTls(cluster.port(servicePort));
      const address = {
        host,
        port,
        ...(tls === undefined ? {} : { tls }),
        ...(header === undefined ? {} : { header }),
      };
      this.#dialing = this.#context.connector.dialPlain(address, cluster.settings.connectTimeoutMs, this);
    }
  }

  /** Gives up; no event follows. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#dialing?.cancel();
    if (this.#stream !== undefined) this.#stream.reset(StreamErrorCode.CANCEL);
    else this.#pool?.cancel(this);
  }

  onStream(stream: ClientStream, connection: UpstreamConnection, _reused: boolean): void {
    this.#stream = stream;
    this.#tlsVersion = connection.tlsVersion;
    // An egress gateway wants to know which host it is for.
    const external = this.#target.cluster.config?.external?.host;
    writeConnect(connectHead, `${external ?? this.#endpoint?.id.replace("/", ".") ?? ""}:${this.#port}`);
    const source = this.#context.sourceService;
    if (source !== "") connectHead.headers.append("x-ripstop-source-service", source);
    tellForwardedFor(connectHead.headers, this.#target.client);
    stream.sendRequest(connectHead, false);
  }

  onNoStream(cause: string, _overloaded: boolean): void {
    this.#next(cause);
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    this.#open(conn);
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    if (cause.code === TUNNEL_DENIED) this.#fail(`refused by the peer: ${cause.message}`, true);
    else this.#next(cause.message);
  }

  onInformational(_head: ResponseHead): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    const stream = this.#stream;
    if (this.#over || stream === undefined) return;
    if (head.status < 200 || head.status > 299 || end) {
      const code = head.headers.get(ERROR_HEADER) ?? "";
      if (!end) stream.reset(StreamErrorCode.CANCEL);
      this.#stream = undefined;
      if (head.status === 503 || head.status === 502) this.#next(`the peer answered ${head.status} ${code}`);
      else this.#fail(`refused by the peer: ${head.status} ${code}`, head.status === 403 || head.status === 429);
      return;
    }
    const conn = new StreamConn(stream, {
      remoteAddress: this.#endpoint?.model.address ?? "",
      remotePort: this.#port,
      localAddress: "",
      localPort: 0,
      tls: undefined,
    });
    this.#conn = conn;
    this.#open(conn);
  }

  onBody(buf: Buffer, start: number, end: number): void {
    this.#conn?.onBody(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#conn?.onTrailers(trailers);
  }

  onEnd(): void {
    this.#conn?.onEnd();
  }

  onWritable(): void {
    this.#conn?.onWritable();
  }

  onReset(code: number, cause: string): void {
    if (this.#conn !== undefined) this.#conn.onReset(code, cause);
    else this.#next(cause);
  }

  /** TLS version of the hop; "" when plain. */
  get tlsVersion(): string {
    // Tunnels to other meshes are TLS 1.3 like all of ours.
    return this.#endpoint?.hbone === true ? "TLSv1.3" : this.#tlsVersion;
  }

  #open(conn: Conn): void {
    if (this.#over || this.#endpoint === undefined) {
      conn.destroy();
      return;
    }
    this.#over = true;
    this.#target.cluster.recordSuccess(this.#endpoint);
    this.#events.onTunnelOpen(conn, this.#endpoint);
  }

  #next(cause: string): void {
    if (this.#over) return;
    this.#stream = undefined;
    this.#pool = undefined;
    const { cluster } = this.#target;
    const endpoint = this.#endpoint;
    if (endpoint !== undefined) {
      cluster.recordFailure(endpoint, true);
      this.#tried.push(endpoint);
    }
    const untried = cluster.endpoints.usable.some((candidate) => !this.#tried.includes(candidate));
    if (untried && this.#tried.length <= cluster.settings.maxRetries) this.start();
    else this.#fail(`${endpoint?.id ?? cluster.service} is not reachable: ${cause}`, false);
  }

  #fail(cause: string, denied: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.onTunnelFailed(cause, denied);
  }
}
