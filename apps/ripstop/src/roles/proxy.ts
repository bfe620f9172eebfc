// The proxy role: reads the state directory, wires the proxy engine to the config stream, speaks with the supervisor.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "@ripstop/agent-engine/atomic-file";
import { systemClock } from "@ripstop/core";
import { startDiscoveryClient, type DiscoveryClient } from "@ripstop/discovery/client";
import { createPeerVerification } from "@ripstop/identity";
import { identityFiles, stateFiles, type ProxyMessage, type SupervisorMessage } from "@ripstop/model";
import { selectTier } from "@ripstop/net";
import { filterFactories } from "@ripstop/policies/proxy";
import { startAdmin, startProxy, type AdminServer, type Proxy } from "@ripstop/proxy-engine";
import { createLogger, createMetricRegistry, logFormatFor, type Logger } from "@ripstop/telemetry";
import { stateDirectoryInvalid } from "../errors.ts";
import { packageVersion } from "../package-version.ts";
import { readIdentity, readState } from "./state-directory.ts";

/** A proxy that is not ready after this long says what it waits for. */
const SAY_WHAT_IS_MISSING_MS = 3_000;

/** Runs the data plane until its supervisor closes the channel, or until SIGTERM or SIGINT without a supervisor. */
export async function proxyRole(argv: readonly string[]): Promise<void> {
  const at = argv.indexOf("--state-dir");
  const directory = at < 0 ? undefined : argv[at + 1];
  const state = directory === undefined ? undefined : readState(directory);
  if (directory === undefined || state === undefined || !state.ok) {
    const reason = state === undefined || state.ok ? "--state-dir is missing" : state.error;
    process.stderr.write(
      `ripstop: ${stateDirectoryInvalid.title} (${stateDirectoryInvalid.code}): ${reason}\n  ${stateDirectoryInvalid.remedy}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const { bootstrap, bundlePem, identities, ports } = state.value;
  const log = createLogger({ clock: systemClock, level: logLevel(), format: logFormatFor(process.stderr) }).child({
    proxy: bootstrap.proxyId,
  });
  const metrics = createMetricRegistry();
  const verifyPeer = createPeerVerification(systemClock);
  const [workload] = bootstrap.workloads;
  const own = identityFiles(workload?.id ?? bootstrap.proxyId);
  const client = startDiscoveryClient({
    proxyId: bootstrap.proxyId,
    controlAddresses: bootstrap.controlAddresses,
    controlIdentity: bootstrap.controlIdentity,
    files: {
      svid: join(directory, own.svid),
      key: join(directory, own.key),
      bundle: join(directory, stateFiles.bundle),
      cache: join(directory, stateFiles.cache),
    },
    verifyPeer,
    clock: systemClock,
    logger: log,
    metrics,
  });
  let ready = false;
  let listening = false;
  const sayReady = (): void => {
    if (ready && listening) tell({ type: "ready", fromCache: !client.connected });
  };
  await selectTier({ clock: systemClock, logger: log, requested: process.env["RIPSTOP_TRANSPORT"] });
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
    ports,
    sendReport(report) {
      client.telemetry.send(report);
      return client.connected;
    },
    version: packageVersion,
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
  client.telemetry.onCommand = (command) => proxy.onCommand(command);
  writeFileAtomically(join(directory, stateFiles.ports), JSON.stringify(proxy.ports));
  const adminSocket = join(directory, stateFiles.adminSocket);
  // A proxy that was killed leaves its socket file.
  rmSync(adminSocket, { force: true });
  const admin = await startAdmin({ proxy, metrics, path: adminSocket });
  if (!admin.ok) log.warn("no admin socket; traffic is not concerned", { cause: admin.error.message });
  const role = new SupervisedProxy({ directory, proxy, client, log, admin: admin.ok ? admin.value : undefined });
  role.listen();
  listening = true;
  tell({ type: "listening", ports: proxy.ports });
  sayReady();
  systemClock.after(SAY_WHAT_IS_MISSING_MS, () => {
    if (!ready) log.warn("not ready yet", { missing: proxy.missing, connected: client.connected });
  });
}

/** What the running proxy does for its supervisor. */
class SupervisedProxy {
  readonly #directory: string;
  readonly #proxy: Proxy;
  readonly #client: DiscoveryClient;
  readonly #log: Logger;
  readonly #admin: AdminServer | undefined;

  constructor(parts: {
    readonly directory: string;
    readonly proxy: Proxy;
    readonly client: DiscoveryClient;
    readonly log: Logger;
    readonly admin: AdminServer | undefined;
  }) {
    this.#directory = parts.directory;
    this.#proxy = parts.proxy;
    this.#client = parts.client;
    this.#log = parts.log;
    this.#admin = parts.admin;
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
    process.on("message", (message: unknown) => {
      if (isSupervisorMessage(message)) this.#receive(message);
    });
  }

  #receive(message: SupervisorMessage): void {
    switch (message.type) {
      case "identity":
        this.#reloadIdentity(message.workloadId);
        return;
      case "drain":
        void this.#proxy.drain(message.deadlineMs).then(() => tell({ type: "drained" }));
        return;
      default:
        message satisfies never;
    }
  }

  #reloadIdentity(workloadId: string): void {
    try {
      const set = this.#proxy.setIdentity(workloadId, readIdentity(this.#directory, workloadId));
      if (!set.ok)
        this.#log.error("the new identity cannot be used, the current one stays", {
          workloadId,
          cause: set.error.message,
        });
    } catch (cause) {
      this.#log.error("the new identity cannot be read, the current one stays", { workloadId, cause: String(cause) });
    }
    this.#client.reloadIdentity();
  }

  async #end(): Promise<void> {
    // First, so that the cache holds what the proxy watches now: closing cancels every watch.
    await this.#client.close();
    await this.#proxy.close();
    await this.#admin?.close();
    process.exit(0);
  }
}

function tell(message: ProxyMessage): void {
  // The callback takes the error of a supervisor that is gone at this moment: "disconnect" follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function isSupervisorMessage(value: unknown): value is SupervisorMessage {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  if (value.type === "identity") return "workloadId" in value && typeof value.workloadId === "string";
  return value.type === "drain" && "deadlineMs" in value && typeof value.deadlineMs === "number";
}

function logLevel(): Logger["level"] {
  const wanted = process.env["RIPSTOP_LOG_LEVEL"];
  return wanted === "debug" || wanted === "info" || wanted === "warn" || wanted === "error" ? wanted : "warn";
}
