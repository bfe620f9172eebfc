// The proxy role: reads the state directory, wires the proxy engine to the config stream, speaks with the supervisor.

import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { writeFileAtomically } from "@ripstop/agent-engine/atomic-file";
import { systemClock } from "@ripstop/core";
import { startDiscoveryClient, type DiscoveryClient } from "@ripstop/discovery/client";
import { createPeerVerification } from "@ripstop/identity";
import { identityFiles, stateFiles, workerStreamId, type SupervisorMessage } from "@ripstop/model";
import { selectTier, type ListeningSocket } from "@ripstop/net";
import { filterFactories } from "@ripstop/policies/proxy";
import { startProxy, type Proxy } from "@ripstop/proxy-engine";
import {
  createLogger,
  createMetricRegistry,
  logFormatFor,
  metricNames,
  type Logger,
  type MetricRegistry,
} from "@ripstop/telemetry";
import { stateDirectoryInvalid } from "../errors.ts";
import { packageVersion } from "../package-version.ts";
import { LeadDuties } from "./lead-duties.ts";
import { readBundle, readIdentity, readState, type StoredIdentity } from "./state-directory.ts";
import { ControlCommands } from "./control-commands.ts";
import { isSocket, isSupervisorMessage, takeOverSockets, tell, tellSocket } from "./supervisor-channel.ts";

/** A proxy that is not ready after this long says what it waits for. */
const SAY_WHAT_IS_MISSING_MS = 3_000;

/** Connections that wait already are served before the proxy turns to the control plane and its admin socket. */
const TRAFFIC_FIRST_MS = 10;

/**
 * Runs the data plane until its supervisor closes the channel, or until SIGTERM or SIGINT without a supervisor. Its
 * supervisor adds "--slot N" (which of the proxy's processes this is), "--processes N" (how many there are), "--take-over" (listening sockets come on the
 * channel), "--follow" (another process writes the state directory and opens the sockets of Gateways, until "lead").
 * Gives the proxy when it has begun; undefined when it cannot.
 */
export async function proxyRole(argv: readonly string[]): Promise<Proxy | undefined> {
  const directory = optionOf(argv, "--state-dir");
  const follows = argv.includes("--follow");
  const sockets = argv.includes("--take-over") ? await takeOverSockets() : undefined;
  const state = directory === undefined ? undefined : readState(directory);
  if (directory === undefined || state === undefined || !state.ok) {
    const reason = state === undefined || state.ok ? "--state-dir is missing" : state.error;
    process.stderr.write(
      `ripstop: ${stateDirectoryInvalid.title} (${stateDirectoryInvalid.code}): ${reason}\n  ${stateDirectoryInvalid.remedy}\n`,
    );
    process.exitCode = 2;
    return undefined;
  }
  const { bootstrap, bundlePem, identities, ports } = state.value;
  const log = createLogger({ clock: systemClock, level: logLevel(), format: () => logFormatFor(process.stderr) }).child(
    {
      proxy: bootstrap.proxyId,
    },
  );
  const metrics = createMetricRegistry();
  const verifyPeer = createPeerVerification(systemClock);
  const [workload] = bootstrap.workloads;
  const own = identityFiles(workload?.id ?? bootstrap.proxyId);
  const client = startDiscoveryClient({
    proxyId: bootstrap.proxyId,
    streamId: workerStreamId(bootstrap.proxyId, Number(optionOf(argv, "--slot") ?? 0)),
    follows,
    controlAddresses: bootstrap.controlAddresses,
    controlIdentity: bootstrap.controlIdentity,
    files: {
      svid: join(directory, own.svid),
      key: join(directory, own.key),
      bundle: join(directory, stateFiles.bundle),
      cache: join(directory, stateFiles.cache),
    },
    verifyPeer,
    // What takes over sockets waits for complete config.
    servesFirst: sockets === undefined,
    clock: systemClock,
    logger: log,
    metrics,
  });
  const commands = new ControlCommands(client);
  let ready = false;
  let listening = false;
  const sayReady = (): void => {
    if (ready && listening) tell({ type: "ready", fromCache: !client.connected });
  };
  const tier = await selectTier({ clock: systemClock, logger: log, requested: process.env["RIPSTOP_TRANSPORT"] });
  const { BUILD, TRANSPORT } = metricNames;
  metrics.gauge(BUILD.name, BUILD.help, { version: packageVersion, node: process.versions.node }).set(1);
  metrics.gauge(TRANSPORT.name, TRANSPORT.help, { transport: tier.name }).set(1);
  const expiry = new SvidExpiry(metrics);
  for (const [id, identity] of identities) expiry.set(id, identity);
  const started = await startProxy({
    bootstrap,
    config: client,
    clock: systemClock,
    log,
    metrics,
    identities,
    bundlePem,
    verifyPeer,
    filterFactories,
    workers: Number(optionOf(argv, "--processes") ?? 1),
    ports,
    ...(sockets === undefined ? {} : { sockets }),
    sendReport(report) {
      client.telemetry.send(report);
      return client.connected;
    },
    version: packageVersion,
    follows,
    onGatewaySocketWanted: (key) => tell({ type: "listener-wanted", key }),
    onGatewaySocket(key, socket) {
      if (socket === undefined) tell({ type: "listener-closed", key });
      else tellSocket({ type: "listener", key, side: "inbound" }, socket);
    },
    onClosedPorts() {
      if (listening) tell({ type: "closed-ports", ports: proxy.closedPorts });
    },
    onReady() {
      ready = true;
      sayReady();
    },
  });
  if (!started.ok) {
    process.stderr.write(
      `ripstop: ${started.error.kind.title} (${started.error.kind.code}): ${started.error.message}\n`,
    );
    await client.close();
    process.exit(1);
  }
  const proxy = started.value;
  commands.passTo(proxy);
  const portsText = JSON.stringify(proxy.ports);
  // Made durable, which takes its time, only when they are others.
  if (!follows && portsText !== JSON.stringify(ports))
    writeFileAtomically(join(directory, stateFiles.ports), portsText);
  const lead = new LeadDuties({ directory, bootstrap, proxy, client, log, metrics });
  const hostsGateways = bootstrap.workloads.some(({ gateway }) => gateway !== undefined);
  const role = new SupervisedProxy({ directory, proxy, client, log, lead, expiry, hostsGateways });
  role.listen();
  listening = true;
  for (const { key, side, socket } of proxy.listeners) {
    if (socket !== undefined && sockets?.has(key) !== true) tellSocket({ type: "listener", key, side }, socket);
  }
  tell({ type: "listening", ports: proxy.ports });
  if (hostsGateways) tell({ type: "closed-ports", ports: proxy.closedPorts });
  for (const [id, identity] of identities) role.tellIdentity(id, identity);
  sayReady();
  systemClock.after(TRAFFIC_FIRST_MS, () => {
    client.connect();
    if (!follows) void lead.begin();
  });
  systemClock.after(SAY_WHAT_IS_MISSING_MS, () => {
    if (!ready) log.warn("not ready yet", { missing: proxy.missing, connected: client.connected });
  });
  return proxy;
}

/** What the running proxy does for its supervisor. */
class SupervisedProxy {
  readonly #directory: string;
  readonly #proxy: Proxy;
  readonly #client: DiscoveryClient;
  readonly #log: Logger;
  readonly #lead: LeadDuties;
  readonly #expiry: SvidExpiry;
  readonly #hostsGateways: boolean;

  constructor(parts: {
    readonly directory: string;
    readonly proxy: Proxy;
    readonly client: DiscoveryClient;
    readonly log: Logger;
    readonly lead: LeadDuties;
    readonly expiry: SvidExpiry;
    readonly hostsGateways: boolean;
  }) {
    this.#directory = parts.directory;
    this.#proxy = parts.proxy;
    this.#client = parts.client;
    this.#log = parts.log;
    this.#lead = parts.lead;
    this.#expiry = parts.expiry;
    this.#hostsGateways = parts.hostsGateways;
  }

  listen(): void {
    // A terminal's Ctrl-C reaches the proxy too; with a supervisor, only the channel's end counts.
    const supervised = process.connected;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (!supervised) void this.#end();
      });
    }
    process.on("disconnect", () => void this.#end());
    process.on("message", (message: unknown, socket: unknown) => {
      if (isSupervisorMessage(message)) this.#receive(message, isSocket(socket) ? socket : undefined);
    });
  }

  /** Says to the supervisor what is in force. */
  tellIdentity(workloadId: string, { chainPem }: StoredIdentity): void {
    const svidSerialNumber = new X509Certificate(chainPem).serialNumber.toLowerCase();
    tell({ type: "identity", workloadId, svidSerialNumber, bundleSequence: this.#proxy.bundleSequence });
  }

  #receive(message: SupervisorMessage, socket: ListeningSocket | undefined): void {
    switch (message.type) {
      case "identity":
        this.#reloadIdentity(message.workloadId);
        return;
      case "control-addresses":
        this.#client.setControlAddresses(message.addresses);
        return;
      case "drain":
        void this.#proxy.drain(message.deadlineMs).then(() => tell({ type: "drained" }));
        return;
      case "lead":
        this.#proxy.lead(message.keys ?? []);
        if (this.#hostsGateways) tell({ type: "closed-ports", ports: this.#proxy.closedPorts });
        void this.#lead.begin();
        return;
      case "retire":
        void this.#retire(message.deadlineMs);
        return;
      case "ask":
        void this.#lead.answer(message.question).then((answer) => tell({ type: "answer", id: message.id, answer }));
        return;
      case "answers":
        this.#lead.answered(message.id, message.answers);
        return;
      case "listener":
        if (socket !== undefined) this.#proxy.takeSocket(message.key, socket);
        return;
      case "listener-closed":
        this.#proxy.takeSocket(message.key, undefined);
        return;
      case "take-over":
        // Was awaited at the start.
        return;
      default:
        message satisfies never;
    }
  }

  #reloadIdentity(workloadId: string): void {
    try {
      const identity = readIdentity(this.#directory, workloadId);
      // The bundle first: whoever trusts the new root trusts what it signed.
      const bundle = this.#proxy.setBundle(readBundle(this.#directory));
      if (!bundle.ok) this.#log.error("the new trust bundle cannot be used", { cause: bundle.error.message });
      const set = this.#proxy.setIdentity(workloadId, identity);
      if (set.ok) {
        this.#expiry.set(workloadId, identity);
        this.tellIdentity(workloadId, identity);
      } else
        this.#log.error("the new identity cannot be used, the current one stays", {
          workloadId,
          cause: set.error.message,
        });
    } catch (cause) {
      this.#log.error("the new identity cannot be read, the current one stays", { workloadId, cause: String(cause) });
    }
    this.#client.reloadIdentity();
  }

  /** Config and identities go on arriving until the last connection is gone: a permission may be revoked meanwhile. */
  async #retire(deadlineMs: number): Promise<void> {
    await this.#lead.end();
    await this.#client.seal();
    tell({ type: "retiring" });
    await this.#proxy.retire(deadlineMs);
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#client.seal();
    await this.#proxy.close();
    await this.#client.close();
    await this.#lead.end();
    process.exit(0);
  }
}

function optionOf(argv: readonly string[], name: string): string | undefined {
  const at = argv.indexOf(name);
  return at < 0 ? undefined : argv[at + 1];
}

function logLevel(): Logger["level"] {
  const wanted = process.env["RIPSTOP_LOG_LEVEL"];
  return wanted === "debug" || wanted === "info" || wanted === "warn" || wanted === "error" ? wanted : "warn";
}

/** Shows when each workload's certificate expires. */
class SvidExpiry {
  readonly #metrics: MetricRegistry;

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  set(workloadId: string, { chainPem }: StoredIdentity): void {
    const { SVID_EXPIRY } = metricNames;
    const expiresMs = Date.parse(new X509Certificate(chainPem).validTo);
    this.#metrics.gauge(SVID_EXPIRY.name, SVID_EXPIRY.help, { workload: workloadId }).set(Math.floor(expiresMs / 1000));
  }
}
