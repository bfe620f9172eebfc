// The control plane's stream endpoint: config (incremental xDS) and telemetry over gRPC on mutual TLS.

import { err, ok, type Result } from "@ripstop/core";
import { workerStreamId, type LiveStatus, type ReplicaLive, type telemetry } from "@ripstop/model";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, status } from "@grpc/grpc-js";

import { streamListenFailed } from "../errors.ts";
import { Admission } from "./admission.ts";
import { ConfigCalls } from "./config-calls.ts";
import { Distributor, type ProxyStreamStatus } from "./distributor.ts";
import type { ConfigCall, TelemetryCall } from "./grpc-call.ts";
import { aggregatedDiscoveryService, telemetryService } from "./grpc-services.ts";
import { ProxySlots } from "./proxy-slots.ts";
import type { DiscoveryServerOptions } from "./server-options.ts";
import { TelemetryCalls } from "./telemetry-calls.ts";
import { TlsListener, type ServerTls } from "./tls-listener.ts";

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The running endpoint. */
export interface DiscoveryServer {
  /** "HOST:PORT". */
  readonly address: string;
  readonly port: number;
  /** Replaces certificates and roots for new connections. */
  setTls(tls: ServerTls): void;
  /**
   * Sends a command on a proxy's telemetry stream, with `slot` to that worker alone; while the proxy is slow the newest
   * replaces the one before. False when it has none open.
   */
  send(proxyId: string, command: telemetry.ProxyCommand, slot?: number): boolean;
  /** How far a revision has come on the connected proxies. */
  live(revision: number): LiveStatus;
  /** As `live`, after waiting up to `waitMs` for all answers. */
  waitLive(revision: number, waitMs: number): Promise<LiveStatus>;
  /** As `waitLive`, by the ids of the proxies; a revision that has not come here yet is waited for likewise. */
  waitProgress(revision: number, waitMs: number): Promise<ReplicaLive>;
  /** Every proxy with an open config stream. */
  proxies(): readonly ProxyStreamStatus[];
  isConnected(proxyId: string): boolean;
  /** Whether a proxy has acknowledged a resource as it is now: undefined while it is away, a text when it refused it. */
  acknowledged(proxyId: string, typeUrl: string, name: string): boolean | string | undefined;
  /** Ends a proxy's streams (it left, or was cut off). */
  disconnect(proxyId: string, reason: string): void;
  /** Ends a proxy's streams so that it opens them at another control plane. */
  move(proxyId: string): void;
  /** Ends every stream and stops listening. */
  close(): Promise<void>;
}

/** Listens; fails with RS5304 when the address cannot be had. */
export async function startDiscoveryServer(options: DiscoveryServerOptions): Promise<Result<DiscoveryServer, string>> {
  // What it would print on standard error is in the results and in our own log.
  setLogVerbosity(logVerbosity.NONE);
  const endpoint = new Endpoint(options);
  const listening = await endpoint.listen();
  return listening.ok ? ok(endpoint) : listening;
}

class Endpoint implements DiscoveryServer {
  port = 0;
  readonly #options: DiscoveryServerOptions;
  readonly #distributor: Distributor;
  readonly #listener: TlsListener;
  readonly #server: Server;
  readonly #config: ConfigCalls;
  readonly #telemetry: TelemetryCalls;
  readonly #slots = new ProxySlots();

  constructor(options: DiscoveryServerOptions) {
    this.#options = options;
    this.#distributor = new Distributor({
      ...options,
      onMended: (proxyId, type, resources) => {
        options.logger?.warn("a proxy did not have what it was sent; it is sent again", { proxyId, type, resources });
        this.#config.spend(proxyId, resources);
      },
      onListed: (proxyId, names) => this.#config.spend(proxyId, names),
      onOverLimit: (proxyId, problem) => this.#config.endOverLimit(proxyId, problem),
    });
    const admission = new Admission(options);
    this.#config = new ConfigCalls({ options, distributor: this.#distributor, admission, slots: this.#slots });
    this.#telemetry = new TelemetryCalls(options, admission, this.#slots);
    this.#server = new Server({
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": 16,
      "grpc.keepalive_time_ms": 10_000,
      // Long: when all proxies come at once, either end may be late, and a connection cut for it comes once more.
      "grpc.keepalive_timeout_ms": 20_000,
      // A connection without a stream is of no use to anyone.
      "grpc.max_connection_idle_ms": 60_000,
      // Channelz stays on: without it grpc-js 1.14 forgets its sessions, and a shutdown leaves them open.
    });
    this.#server.addService(aggregatedDiscoveryService, {
      deltaAggregatedResources: (call: ConfigCall) => this.#config.onCall(call),
    });
    // TLS is the listener's: what comes here is through its handshake.
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = new TlsListener({
      tls: options.tls,
      clock: options.clock,
      onConnection: (socket) => injector.injectConnection(socket),
      ...(options.handshakes === undefined ? {} : { limits: options.handshakes }),
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
    this.#server.addService(telemetryService, { report: (call: TelemetryCall) => this.#telemetry.onCall(call) });
  }

  get address(): string {
    return `${this.#host}:${this.port}`;
  }

  get #host(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  async listen(): Promise<Result<undefined, string>> {
    const listening = await this.#listener.listen(this.#host, this.#options.port ?? 0);
    if (!listening.ok) {
      await this.close();
      return err(`${streamListenFailed.title}: ${listening.error}`);
    }
    this.port = listening.value;
    return ok(undefined);
  }

  setTls(tls: ServerTls): void {
    this.#listener.setTls(tls);
  }

  send(proxyId: string, command: telemetry.ProxyCommand, slot?: number): boolean {
    let sent = false;
    for (const streamId of slot === undefined ? this.#slots.streamIds(proxyId) : [workerStreamId(proxyId, slot)]) {
      sent = this.#telemetry.send(streamId, command) || sent;
    }
    return sent;
  }

  live(revision: number): LiveStatus {
    return this.#distributor.live(revision);
  }

  waitLive(revision: number, waitMs: number): Promise<LiveStatus> {
    return this.#distributor.waitLive(revision, waitMs);
  }

  waitProgress(revision: number, waitMs: number): Promise<ReplicaLive> {
    return this.#distributor.waitProgress(revision, waitMs);
  }

  proxies(): readonly ProxyStreamStatus[] {
    return this.#distributor.statuses();
  }

  isConnected(proxyId: string): boolean {
    return this.#slots.streamIds(proxyId).some((streamId) => this.#distributor.isConnected(streamId));
  }

  acknowledged(proxyId: string, typeUrl: string, name: string): boolean | string | undefined {
    // All workers of the proxy must have it; the first that has not decides.
    let acknowledged: boolean | string | undefined;
    for (const streamId of this.#slots.streamIds(proxyId)) {
      acknowledged = this.#distributor.acknowledged(streamId, typeUrl, name);
      if (acknowledged !== true) break;
    }
    return acknowledged;
  }

  disconnect(proxyId: string, reason: string): void {
    this.#end(proxyId, status.PERMISSION_DENIED, reason);
  }

  move(proxyId: string): void {
    this.#end(proxyId, status.UNAVAILABLE, "another control plane has fewer proxies; connect to that");
  }

  #end(proxyId: string, code: status, reason: string): void {
    for (const streamId of this.#slots.streamIds(proxyId)) {
      this.#config.end(streamId, code, reason);
      this.#telemetry.end(streamId, code, reason);
    }
  }

  async close(): Promise<void> {
    this.#distributor.stop();
    this.#listener.close();
    this.#server.forceShutdown();
    await Promise.resolve();
  }
}
