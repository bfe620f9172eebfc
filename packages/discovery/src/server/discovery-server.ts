// The control plane's stream endpoint: config (incremental xDS) and telemetry over gRPC on mutual TLS.

import { X509Certificate } from "node:crypto";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import {
  MAX_WORKERS,
  parseWorkerStreamId,
  workerStreamId,
  type discovery,
  type LiveStatus,
  type ReplicaLive,
  type telemetry,
} from "@ripstop/model";
import { metricNames, type Logger, type MetricRegistry } from "@ripstop/telemetry";
import { logVerbosity, Metadata, Server, setLogVerbosity, status, type ServerDuplexStream } from "@grpc/grpc-js";

import {
  streamBehind,
  streamLimitExceeded,
  streamListenFailed,
  streamNotAuthorized,
  streamPeerRefused,
} from "../errors.ts";
import type { PeerVerdict, PeerVerifier } from "../peer-verifier.ts";
import { Distributor, type ProxyStreamStatus } from "./distributor.ts";
import { aggregatedDiscoveryService, proxyIdMetadata, telemetryService } from "./grpc-services.ts";
import { LiveCredentials, type ServerTls } from "./live-credentials.ts";
import { RequestBudget } from "./request-budget.ts";
import type { ResourceSource } from "./snapshot.ts";
import type { StreamLimits, SubscriberStream } from "./subscriber-stream.ts";

/** How to start the endpoint. */
export interface DiscoveryServerOptions {
  readonly source: ResourceSource;
  readonly tls: ServerTls;
  /** The identity of a client, from a leaf that TLS has verified. */
  readonly verifyPeer: PeerVerifier;
  /** True when the proxy id is registered with exactly this SPIFFE id. */
  authorize(proxyId: string, identity: string): boolean;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  readonly limits?: Partial<StreamLimits>;
  /** There, when other control planes share the store: a proxy may come from one that is ahead of this one. */
  readonly shared?: SharedStore;
  /** A report of an authorized proxy. */
  /** `slot` tells the workers of one proxy apart. */
  onReport?(proxyId: string, report: telemetry.ProxyReport, slot: number): void;
  /** A proxy's telemetry stream opened: the time to `send` what it should know. */
  onTelemetryOpen?(proxyId: string): void;
  /** The telemetry stream of a worker ended, and no newer one took its place. */
  onTelemetryClosed?(proxyId: string, slot: number): void;
  onConnected?(proxyId: string): void;
  onDisconnected?(proxyId: string): void;
}

/** What is known of the store that several control planes share. */
export interface SharedStore {
  /** The newest revision that is here, compiled or not. */
  readonly revision: number;
  /**
   * Kept with true when everything is here that was acknowledged, by whichever control plane, before the call; with false
   * when that cannot be found out. Within about two seconds.
   */
  readBarrier(): Promise<boolean>;
}

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

type ConfigCall = ServerDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;
type TelemetryCall = ServerDuplexStream<telemetry.ProxyReport, telemetry.ProxyCommand>;

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_PROXY_ID = 512;
/** The workers of one proxy, and as many again while a new set takes over from the old one. */
const MAX_SLOTS = 2 * MAX_WORKERS;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How long a proxy that is ahead waits for what is in the store already to be compiled. */
const CATCH_UP_MS = 2_000;

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
  readonly #credentials: LiveCredentials;
  readonly #server: Server;
  readonly #configCalls = new Map<string, ConfigCall>();
  readonly #budgets = new Map<string, RequestBudget>();
  readonly #telemetryCalls = new Map<string, TelemetrySender>();
  /** Slots of the processes of each proxy that have a stream. The two maps above are by stream id (`workerStreamId`). */
  readonly #slots = new Map<string, Set<number>>();

  constructor(options: DiscoveryServerOptions) {
    this.#options = options;
    this.#distributor = new Distributor({
      ...options,
      onMended: (proxyId, type, resources) => {
        options.logger?.warn("a proxy did not have what it was sent; it is sent again", { proxyId, type, resources });
        this.#budgets.get(proxyId)?.spend(resources);
      },
    });
    this.#credentials = new LiveCredentials(options.tls);
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
      deltaAggregatedResources: (call: ConfigCall) => this.#onConfigCall(call),
    });
    this.#server.addService(telemetryService, { report: (call: TelemetryCall) => this.#onTelemetryCall(call) });
  }

  get address(): string {
    return `${this.#host}:${this.port}`;
  }

  get #host(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  listen(): Promise<Result<undefined, string>> {
    return new Promise((resolve) => {
      this.#server.bindAsync(`${this.#host}:${this.#options.port ?? 0}`, this.#credentials, (error, port) => {
        if (error) {
          this.#distributor.stop();
          resolve(err(`${streamListenFailed.title}: ${error.message}`));
          return;
        }
        this.port = port;
        resolve(ok(undefined));
      });
    });
  }

  setTls(tls: ServerTls): void {
    this.#credentials.replace(tls);
  }

  send(proxyId: string, command: telemetry.ProxyCommand, slot?: number): boolean {
    let sent = false;
    for (const streamId of slot === undefined ? this.#streamIds(proxyId) : [workerStreamId(proxyId, slot)]) {
      const sender = this.#telemetryCalls.get(streamId);
      sender?.send(command);
      sent ||= sender !== undefined;
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
    return this.#streamIds(proxyId).some((streamId) => this.#distributor.isConnected(streamId));
  }

  acknowledged(proxyId: string, typeUrl: string, name: string): boolean | string | undefined {
    // All workers of the proxy must have it; the first that has not decides.
    let acknowledged: boolean | string | undefined;
    for (const streamId of this.#streamIds(proxyId)) {
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
    for (const streamId of this.#streamIds(proxyId)) {
      const config = this.#configCalls.get(streamId);
      if (config) fail(config, code, reason);
      const sender = this.#telemetryCalls.get(streamId);
      if (sender) fail(sender.call, code, reason);
    }
  }

  async close(): Promise<void> {
    this.#distributor.stop();
    this.#server.forceShutdown();
    await Promise.resolve();
  }

  /** The ids under which the processes of a proxy may have streams. */
  #streamIds(proxyId: string): readonly string[] {
    const slots = this.#slots.get(proxyId);
    return slots === undefined ? [proxyId] : [...slots].map((slot) => workerStreamId(proxyId, slot));
  }

  /** Remembers a slot of a proxy while one of its streams is open. */
  #opened(streamId: string): void {
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    const slots = this.#slots.get(proxyId);
    if (slots) slots.add(slot);
    else this.#slots.set(proxyId, new Set([slot]));
  }

  #closed(streamId: string): void {
    if (this.#configCalls.has(streamId) || this.#telemetryCalls.has(streamId)) return;
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    const slots = this.#slots.get(proxyId);
    slots?.delete(slot);
    if (slots?.size === 0) this.#slots.delete(proxyId);
  }

  #onConfigCall(call: ConfigCall): void {
    const peer = this.#admit(call);
    if (!peer) return;
    let stream: SubscriberStream | undefined;
    let proxyId = "";
    let isOver = false;
    const budget = new RequestBudget(this.#options.clock);
    call.on("data", (request: discovery.DeltaDiscoveryRequest) => {
      if (isOver) return;
      if (!stream) {
        proxyId = request.node?.id ?? "";
        if (!this.#authorize(call, proxyId, peer.id)) return;
        if (this.#isAhead(request.seenRevision)) {
          // Nothing more is read meanwhile.
          call.pause();
          this.#catchUp(call, request.seenRevision).then(
            (isHere) => {
              // It may have left, or been cut off, while it waited.
              if (isOver || !isHere || !this.#authorize(call, proxyId, peer.id)) return;
              begin();
              onRequest(request);
              call.resume();
            },
            (error: unknown) => fail(call, status.INTERNAL, String(error)),
          );
          return;
        }
        begin();
      }
      onRequest(request);
    });
    const begin = (): void => {
      stream = this.#openStream(call, proxyId, peer.id);
      // What is sent again because of a checksum is paid for as if it had been asked for.
      this.#budgets.set(proxyId, budget);
    };
    const onRequest = (request: discovery.DeltaDiscoveryRequest): void => {
      if (!stream) return;
      const names = request.resourceNamesSubscribe.length + request.resourceNamesUnsubscribe.length;
      const problem = budget.spend(names) ? stream.onRequest(request) : "too many requests";
      if (problem !== undefined) {
        this.#options.logger?.warn("config stream ended: over its limits", { proxyId, problem });
        fail(call, status.RESOURCE_EXHAUSTED, `${streamLimitExceeded.code} ${streamLimitExceeded.title}: ${problem}`);
      }
    };
    const ended = (): void => {
      isOver = true;
      if (stream) this.#distributor.close(stream);
      stream = undefined;
      if (proxyId !== "" && this.#configCalls.get(proxyId) === call) {
        this.#configCalls.delete(proxyId);
        this.#budgets.delete(proxyId);
        this.#closed(proxyId);
        this.#options.logger?.info("proxy disconnected", { proxyId });
        this.#options.onDisconnected?.(parseWorkerStreamId(proxyId).proxyId);
      }
    };
    call.on("end", () => {
      ended();
      call.end();
    });
    call.on("cancelled", ended);
    call.on("error", ended);
    call.on("close", ended);
  }

  /** Whether a proxy has config that this control plane has not come to, and must not be sent what is older. */
  #isAhead(seenRevision: number): boolean {
    return this.#options.shared !== undefined && seenRevision > this.#options.source.revision;
  }

  /** True when all that the proxy may have seen is in force here; else its stream is refused, so that it tries the next. */
  async #catchUp(call: ConfigCall, seenRevision: number): Promise<boolean> {
    const { shared, logger, metrics } = this.#options;
    const isCurrent = (await shared?.readBarrier()) ?? true;
    // What is not in the store although all of it is here has never been, or not in this history: the store was restored.
    const wanted = isCurrent ? Math.min(seenRevision, shared?.revision ?? 0) : seenRevision;
    const { reached } = await this.#distributor.waitProgress(wanted, isCurrent ? CATCH_UP_MS : 0);
    if (reached) {
      if (wanted < seenRevision)
        logger?.warn("a proxy has config of a revision that the store does not have", { seenRevision, newest: wanted });
      return true;
    }
    metrics?.counter(metricNames.CONFIG_STREAMS_BEHIND.name, metricNames.CONFIG_STREAMS_BEHIND.help).add(1);
    const message = `the proxy has revision ${seenRevision}, this control plane ${this.#options.source.revision}`;
    fail(call, status.UNAVAILABLE, `${streamBehind.code} ${streamBehind.title}: ${message}`);
    return false;
  }

  #openStream(call: ConfigCall, proxyId: string, identity: string): SubscriberStream {
    const before = this.#configCalls.get(proxyId);
    this.#configCalls.set(proxyId, call);
    this.#opened(proxyId);
    if (before) fail(before, status.ABORTED, "the proxy opened a newer stream");
    call.sendMetadata(new Metadata());
    const stream = this.#distributor.open({ proxyId, identity }, (response) => {
      if (!call.writableEnded && !call.destroyed) call.write(response);
    });
    this.#options.logger?.info("proxy connected", { proxyId, identity });
    this.#options.onConnected?.(parseWorkerStreamId(proxyId).proxyId);
    return stream;
  }

  #onTelemetryCall(call: TelemetryCall): void {
    const peer = this.#admit(call);
    if (!peer) return;
    const proxyId = String(call.metadata.get(proxyIdMetadata)[0] ?? "");
    if (!this.#authorize(call, proxyId, peer.id)) return;
    const before = this.#telemetryCalls.get(proxyId);
    const sender = new TelemetrySender(call);
    this.#telemetryCalls.set(proxyId, sender);
    this.#opened(proxyId);
    if (before) fail(before.call, status.ABORTED, "the proxy opened a newer stream");
    call.sendMetadata(new Metadata());
    call.on("data", (report: telemetry.ProxyReport) => this.#onReport(proxyId, report));
    const ended = (): void => {
      if (this.#telemetryCalls.get(proxyId) !== sender) return;
      this.#telemetryCalls.delete(proxyId);
      this.#closed(proxyId);
      const closed = parseWorkerStreamId(proxyId);
      this.#options.onTelemetryClosed?.(closed.proxyId, closed.slot);
    };
    call.on("end", () => {
      ended();
      call.end();
    });
    call.on("cancelled", ended);
    call.on("error", ended);
    call.on("close", ended);
    this.#options.onTelemetryOpen?.(parseWorkerStreamId(proxyId).proxyId);
  }

  /** A fault in what is done with telemetry must not touch the config streams. */
  #onReport(streamId: string, report: telemetry.ProxyReport): void {
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    try {
      this.#options.onReport?.(proxyId, report, slot);
    } catch (error) {
      this.#options.logger?.error("telemetry report failed", { proxyId, cause: String(error) });
    }
  }

  /** Who calls, or undefined after the call was refused. A stream ends with the certificate that it was opened under. */
  #admit(call: ConfigCall | TelemetryCall): { readonly id: string } | undefined {
    const { clock, verifyPeer } = this.#options;
    const leaf = leafOf(call);
    const verdict: PeerVerdict = leaf ? verifyPeer(leaf) : { ok: false, reason: "no certificate" };
    if (!leaf || !verdict.ok) {
      const cause = verdict.ok ? "no certificate" : (verdict.message ?? verdict.reason);
      fail(call, status.UNAUTHENTICATED, `${streamPeerRefused.code} ${streamPeerRefused.title}: ${cause}`);
      return undefined;
    }
    const leftMs = Date.parse(leaf.validTo) - clock.nowMs();
    const expiry = clock.after(Math.min(Math.max(leftMs, 0), MAX_TIMER_MS), () => {
      fail(call, status.UNAUTHENTICATED, "the certificate of this stream has expired; connect with a renewed one");
    });
    call.on("close", () => expiry.clear());
    call.on("cancelled", () => expiry.clear());
    return verdict;
  }

  #authorize(call: ConfigCall | TelemetryCall, streamId: string, identity: string): boolean {
    const { proxyId, slot } = parseWorkerStreamId(streamId.slice(0, MAX_PROXY_ID + 1));
    const isKnown = proxyId !== "" && proxyId.length <= MAX_PROXY_ID && slot < MAX_SLOTS;
    if (isKnown && this.#options.authorize(proxyId, identity)) return true;
    const shownId = proxyId.slice(0, MAX_PROXY_ID);
    this.#options.logger?.warn("stream refused", { code: streamNotAuthorized.code, proxyId: shownId, identity });
    this.#options.metrics
      ?.counter(
        "ripstop_config_streams_refused_total",
        "Streams refused, because the identity does not own the proxy id",
      )
      .add(1);
    const message = `${streamNotAuthorized.code} ${streamNotAuthorized.title}: ${identity} does not own ${JSON.stringify(shownId)}`;
    fail(call, status.PERMISSION_DENIED, message);
    return false;
  }
}

/** Writes commands one at a time; while one is on its way, only the newest further one is kept. */
class TelemetrySender {
  readonly call: TelemetryCall;
  #isWriting = false;
  #next: telemetry.ProxyCommand | undefined;

  constructor(call: TelemetryCall) {
    this.call = call;
  }

  send(command: telemetry.ProxyCommand): void {
    if (this.#isWriting) {
      this.#next = command;
      return;
    }
    if (this.call.writableEnded || this.call.destroyed) return;
    this.#isWriting = true;
    this.call.write(command, () => {
      this.#isWriting = false;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.send(next);
    });
  }
}

/** The client's certificate, which TLS has verified. */
function leafOf(call: ConfigCall | TelemetryCall): X509Certificate | undefined {
  const raw: unknown = call.getAuthContext().sslPeerCertificate?.raw;
  try {
    return Buffer.isBuffer(raw) ? new X509Certificate(raw) : undefined;
  } catch {
    return undefined;
  }
}

/** Ends a call with a gRPC status. */
function fail(call: ConfigCall | TelemetryCall, code: status, details: string): void {
  call.emit("error", { code, details });
}
