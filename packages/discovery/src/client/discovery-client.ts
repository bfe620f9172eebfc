// The proxy's side of the control plane in one piece: connection, config stream with its cache, telemetry stream.

import type { Clock, Timer } from "@ripstop/core";
import type { ResourceType } from "@ripstop/model";
import type { Logger, MetricRegistry } from "@ripstop/telemetry";

import type { PeerVerifier } from "../peer-verifier.ts";
import { ConfigCache } from "./config-cache.ts";
import type { ConfigClient, ListWatcher, Subscription, Watcher } from "./config-client.ts";
import { ConfigStream } from "./config-stream.ts";
import { ControlConnection } from "./control-connection.ts";
import { TelemetryStream, type TelemetryChannel } from "./telemetry-channel.ts";

/** How to reach the control plane, and as whom. */
export interface DiscoveryClientOptions {
  readonly proxyId: string;
  /** Id of this process's streams (`workerStreamId`); default the proxy's id. */
  readonly streamId?: string;
  /** Another process of this proxy writes the cache file, until `lead`. Default false. */
  readonly follows?: boolean;
  /** "HOST:PORT" of each control plane. */
  readonly controlAddresses: readonly string[];
  /** SPIFFE id that the control plane must present, exactly. */
  readonly controlIdentity: string;
  /** Paths: the own SVID (leaf first) and key, the roots (all PEM), and the cache of the last good config. */
  readonly files: { readonly svid: string; readonly key: string; readonly bundle: string; readonly cache: string };
  readonly verifyPeer: PeerVerifier;
  /** Where the disk holds config, nothing is connected before `connect`; default false. */
  readonly servesFirst?: boolean;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Source of jitter in [0, 1); default Math.random. */
  readonly random?: () => number;
}

/** ConfigClient and TelemetryChannel over one connection. */
export interface DiscoveryClient extends ConfigClient {
  readonly telemetry: TelemetryChannel;
  /** True when the disk held config at the start. */
  readonly hasCache: boolean;
  /**
   * Watches whatever there is of a type, as far as the control plane lists it to this proxy (the subscription `*` of
   * xDS): its own Workload and the Policies that guard it, the Services of its namespace with their Endpoints and
   * Routes, the Gateways that it hosts with their routes, the TrustBundles. What is known is delivered before the call
   * returns.
   */
  watchAll<T>(type: ResourceType<T>, watcher: ListWatcher<T>): Subscription;
  /** Begins to connect, unless it has begun already. */
  connect(): void;
  /** SVID or bundle files were replaced: the next connection uses them; the open one lives on. */
  reloadIdentity(): void;
  /** The control planes are these now ("HOST:PORT"): for the next connection. */
  setControlAddresses(addresses: readonly string[]): void;
  /** This process writes the cache file from now on. */
  lead(): void;
  /**
   * Writes the cache for the last time: what the proxy gives up while it ends stays in it, so that its next start serves
   * without the control plane.
   */
  seal(): Promise<void>;
}

/** Reads the cache (synchronously: once, at the start) and begins to connect, or waits for `connect` (`servesFirst`). */
export function startDiscoveryClient(options: DiscoveryClientOptions): DiscoveryClient {
  return new Client(options);
}

/** How often the proxy compares what it has with the control plane. */
const AUDIT_MS = 30_000;

class Client implements DiscoveryClient {
  readonly telemetry: TelemetryStream;
  readonly hasCache: boolean;
  readonly #connection: ControlConnection;
  readonly #config: ConfigStream;
  readonly #cache: ConfigCache;
  readonly #audit: Timer;
  #hasBegun = false;

  constructor(options: DiscoveryClientOptions) {
    const { proxyId, clock, logger, metrics, files } = options;
    const streamId = options.streamId ?? proxyId;
    const observers = { ...(logger ? { logger } : {}), ...(metrics ? { metrics } : {}) };
    const cacheOptions = {
      path: files.cache,
      owner: proxyId,
      follows: options.follows ?? false,
      clock,
      ...(logger ? { logger } : {}),
    };
    this.#cache = new ConfigCache(cacheOptions, () => ({
      resources: this.#config.snapshot(),
      revision: this.#config.revision,
      tablesRevision: this.#config.tablesRevision,
    }));
    const { resources: cached, revision, tablesRevision } = this.#cache.read();
    this.hasCache = cached.size > 0;
    this.#connection = new ControlConnection({
      addresses: options.controlAddresses,
      controlIdentity: options.controlIdentity,
      files,
      verifyPeer: options.verifyPeer,
      clock,
      ...(logger ? { logger } : {}),
      ...(options.random ? { random: options.random } : {}),
    });
    this.#config = new ConfigStream({
      proxyId: streamId,
      cached,
      cachedRevision: revision,
      cachedTablesRevision: tablesRevision,
      onAlive: () => this.#connection.confirm(),
      onBroken: (reason) => this.#connection.fail(reason),
      onChanged: () => this.#cache.touch(),
      ...observers,
    });
    this.telemetry = new TelemetryStream({ proxyId: streamId, clock, ...observers });
    this.#connection.use(this.#config);
    this.#connection.use(this.telemetry);
    if (options.servesFirst !== true || !this.hasCache) this.connect();
    this.#audit = clock.every(AUDIT_MS, () => this.#config.audit());
  }

  get connected(): boolean {
    return this.#config.connected;
  }

  watch<T>(type: ResourceType<T>, name: string, watcher: Watcher<T>): Subscription {
    return this.#config.watch(type, name, watcher);
  }

  watchAll<T>(type: ResourceType<T>, watcher: ListWatcher<T>): Subscription {
    return this.#config.watchAll(type, watcher);
  }

  connect(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#connection.start();
  }

  reloadIdentity(): void {
    this.#connection.reload();
  }

  setControlAddresses(addresses: readonly string[]): void {
    this.#connection.setAddresses(addresses);
  }

  lead(): void {
    this.#cache.lead();
  }

  seal(): Promise<void> {
    return this.#cache.seal();
  }

  async close(): Promise<void> {
    this.#audit.clear();
    this.#hasBegun = true;
    this.#connection.close();
    await this.#cache.seal();
  }
}
