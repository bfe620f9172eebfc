// The listening sockets of the workloads that a proxy hosts: inbound for peers, the HTTP proxy and upstreams on loopback
// for the application. Each is taken over from another process, or opened on the port of an earlier run, or on any.

import { ok, type Result, type RipstopError } from "@ripstop/core";
import type { BootstrapUpstream, BootstrapWorkload, ListenerSide, ProxyPorts } from "@ripstop/model";
import {
  awaitProxyHeader,
  listen,
  listenTls,
  type Conn,
  type IdentityTable,
  type Listener,
  type ListeningSocket,
  type TlsObserver,
  type VerifyPeer,
} from "@ripstop/net";
import type { HostPort } from "../2-identify/authority.ts";
import type { Engine } from "../engine.ts";
import { MAX_LISTENER_CONNECTIONS, PROXY_HEADER_TIMEOUT_MS } from "../settings.ts";
import type { HostedWorkload } from "./hosted-workload.ts";
import { acceptInbound } from "./inbound-acceptor.ts";
import { ProxyConnection } from "./proxy-connection.ts";

/** One listening socket of a proxy. */
export interface ProxyListener {
  /** The same in every process of this proxy: "WORKLOAD inbound", "WORKLOAD http-proxy", "WORKLOAD upstream HOST:PORT". */
  readonly key: string;
  readonly side: ListenerSide;
  readonly socket: ListeningSocket | undefined;
}

/** Where the listeners of one workload are. */
export type WorkloadPorts = ProxyPorts["workloads"][string];

/** What the listeners of a proxy need. */
export interface ProxyListenersOptions {
  readonly engine: Engine;
  readonly identities: IdentityTable;
  readonly verifyPeer: VerifyPeer;
  readonly observer: TlsObserver;
  /** All that peers may ask for. */
  readonly workloads: ReadonlyMap<string, HostedWorkload>;
  /** Ports of an earlier run. */
  readonly ports: ProxyPorts | undefined;
  /** Sockets of other processes, by `ProxyListener.key`. */
  readonly sockets: ReadonlyMap<string, ListeningSocket>;
}

/** An address to listen on, or a socket that listens already. */
type Where = { readonly port: number } | { readonly socket: ListeningSocket };

const INBOUND_HOST_DEFAULT = "127.0.0.1";
const LOOPBACK = "127.0.0.1";

/** All of one proxy, those of Gateways aside. */
export class ProxyListeners {
  readonly #options: ProxyListenersOptions;
  readonly #opened: { readonly key: string; readonly side: ListenerSide; readonly listener: Listener }[] = [];

  constructor(options: ProxyListenersOptions) {
    this.#options = options;
  }

  /** Those that are or were open. */
  get all(): readonly ProxyListener[] {
    return this.#opened.map(({ key, side, listener }) => ({ key, side, socket: listener.socket }));
  }

  /** Open connections that came in, of one side or both. */
  connections(only?: ListenerSide): number {
    let sum = 0;
    for (const { side, listener } of this.#opened) if (only === undefined || only === side) sum += listener.connections;
    return sum;
  }

  /** Takes no new connections, on one side or both. */
  close(only?: ListenerSide): void {
    for (const { side, listener } of this.#opened) if (only === undefined || only === side) listener.close();
  }

  /** Opens those of one workload. When one cannot be opened, those before it stay open. */
  async open(hosted: HostedWorkload, workload: BootstrapWorkload): Promise<Result<WorkloadPorts, RipstopError>> {
    const { engine, identities, verifyPeer, observer, workloads, ports } = this.#options;
    const before = ports?.workloads[workload.id];
    const inbound = await this.#take(`${workload.id} inbound`, before?.inbound ?? 0, (where) =>
      listenTls({
        host: workload.inboundHost === "" ? INBOUND_HOST_DEFAULT : workload.inboundHost,
        ...where,
        identities,
        verifyPeer,
        observer,
        clock: engine.clock,
        maxConnections: MAX_LISTENER_CONNECTIONS,
        namelessWorkloadId: workload.id,
        proxyProtocol: workload.inboundProxyProtocol ?? false,
        onConn: (conn) => acceptInbound(conn, workloads, hosted),
      }),
    );
    if (!inbound.ok) return inbound;
    const httpProxy = await this.#take(`${workload.id} http-proxy`, before?.httpProxy ?? 0, (where) =>
      listen({
        host: LOOPBACK,
        ...where,
        maxConnections: MAX_LISTENER_CONNECTIONS,
        onConn: (conn) => new ProxyConnection(hosted, conn),
      }),
    );
    if (!httpProxy.ok) return httpProxy;
    const upstreams: number[] = [];
    for (const [at, upstream] of workload.upstreams.entries()) {
      const key = `${workload.id} upstream ${upstream.host}:${upstream.port}`;
      const listener = await this.#take(key, before?.upstreams[at] ?? 0, (where) =>
        this.#listenUpstream(hosted, upstream, where),
      );
      if (!listener.ok) return listener;
      upstreams.push(listener.value.port);
    }
    return ok({ inbound: inbound.value.port, httpProxy: httpProxy.value.port, upstreams });
  }

  #listenUpstream(
    hosted: HostedWorkload,
    upstream: BootstrapUpstream,
    where: Where,
  ): Promise<Result<Listener, RipstopError>> {
    const target = { host: upstream.host.toLowerCase(), port: upstream.port };
    return listen({
      host: LOOPBACK,
      ...where,
      maxConnections: MAX_LISTENER_CONNECTIONS,
      onConn: (conn) => {
        if (upstream.proxyProtocol === true) this.#awaitHeader(hosted, conn, target);
        else hosted.serveConnection(conn, target);
      },
    });
  }

  /** Connections of a load balancer, which says whom it speaks for. */
  #awaitHeader(hosted: HostedWorkload, conn: Conn, target: HostPort): void {
    const { clock, log } = this.#options.engine;
    awaitProxyHeader(conn, {
      clock,
      timeoutMs: PROXY_HEADER_TIMEOUT_MS,
      onConn: (proxied) => hosted.serveConnection(proxied, target),
      onRefused: (cause) => log.warn("connection refused", { host: target.host, port: target.port, cause }),
    });
  }

  /** Opens a listener on the socket of another process, else on the port of an earlier run, else on any. */
  async #take(
    key: string,
    port: number,
    open: (where: Where) => Promise<Result<Listener, RipstopError>>,
  ): Promise<Result<Listener, RipstopError>> {
    const socket = this.#options.sockets.get(key);
    let opened = await open(socket === undefined ? { port } : { socket });
    if (!opened.ok && (port !== 0 || socket !== undefined)) {
      const { log } = this.#options.engine;
      log.warn("port of the last run is taken, taking another", { port, cause: opened.error.message });
      opened = await open({ port: 0 });
    }
    if (opened.ok) {
      const side = key.endsWith(" inbound") ? "inbound" : "outbound";
      this.#opened.push({ key, side, listener: opened.value });
    }
    return opened;
  }
}
