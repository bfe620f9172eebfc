// The control role: wires the control engine, runs it until a signal, takes it down.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { meshHome, type JoinAddress } from "@ripstop/agent-engine";
import { startControl, type EtcdSettings } from "@ripstop/control-engine";
import { holdProcess, systemClock } from "@ripstop/core";
import { createPeerVerification } from "@ripstop/identity";

import { createLogger, createMetricRegistry, logFormatFor, metricNames, type MetricRegistry } from "@ripstop/telemetry";
import { exitCodes } from "../exit-codes.ts";
import type { AuthorityOptions, HomeOption } from "../options.ts";
import { printError } from "../output/failure.ts";
import { packageVersion } from "../package-version.ts";

/** Options of `ripstop control`. */
export interface ControlOptions extends HomeOption, AuthorityOptions {
  readonly trustDomain?: string;
  readonly dashboardPort?: number;
  readonly joinAddress?: JoinAddress;
  readonly streamAddress?: JoinAddress;
  readonly keepRevisions?: number;
  readonly etcd?: readonly string[];
  readonly etcdPrefix: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly authorityKeyFile?: string;
  readonly replicaAddress?: string;
  readonly bundleEndpoint?: string;
  readonly bundleEndpointCert?: string;
  readonly bundleEndpointKey?: string;
  readonly endWithParent: boolean;
}

/** Runs the control plane to the end; the exit code. */
export async function controlRole(options: ControlOptions): Promise<number> {
  const hold = holdProcess();
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    if (options.endWithParent) process.on("disconnect", () => resolve());
  });
  const home = meshHome(options.home, process.env);
  const dashboardDirectory = findDashboard();
  const etcd = etcdSettings(options);
  if (typeof etcd === "string") {
    process.stderr.write(`ripstop: ${etcd}\n`);
    return exitCodes.usage;
  }
  const started = await startControl({
    home: home.path,
    clock: systemClock,
    version: packageVersion,
    metrics: registry(),
    verifyPeer: createPeerVerification(systemClock),
    logger: createLogger({ clock: systemClock, level: "info", format: logFormatFor(process.stderr) }),
    ...(options.trustDomain === undefined ? {} : { trustDomain: options.trustDomain }),
    ...(options.svidTtl === undefined ? {} : { svidTtlMs: options.svidTtl }),
    ...(options.caKey === undefined ? {} : { caKey: options.caKey }),
    ...(options.rootLifetime === undefined ? {} : { rootLifetimeMs: options.rootLifetime }),
    ...(options.externalCa === undefined ? {} : { externalCaDirectory: resolve(options.externalCa) }),
    ...crashPoint(process.env["RIPSTOP_TEST_KILL_AT"]),
    ...(options.joinAddress === undefined ? {} : { joinAddress: options.joinAddress }),
    ...(options.streamAddress === undefined ? {} : { streamAddress: options.streamAddress }),
    ...(options.dashboardPort === undefined ? {} : { dashboardPort: options.dashboardPort }),
    ...(options.keepRevisions === undefined ? {} : { keepRevisions: Math.max(1, options.keepRevisions) }),
    ...(etcd === undefined ? {} : { etcd }),
    ...(options.authorityKeyFile === undefined ? {} : { authorityKeyFile: resolve(options.authorityKeyFile) }),
    ...(options.replicaAddress === undefined ? {} : { replicaHost: options.replicaAddress }),
    ...bundleEndpointOf(options),
    ...(dashboardDirectory === undefined ? {} : { dashboardDirectory }),
  });
  if (!started.ok) {
    printError(started.error.kind, started.error.message);
    hold.clear();
    if (process.connected) process.disconnect();
    return exitCodes.failed;
  }
  const control = started.value;
  for (const notice of control.notices) process.stdout.write(`${notice}\n`);
  process.stdout.write(
    `control plane of ${control.trustDomain} runs on ${home.path}\ndashboard ${control.dashboardUrl}\n`,
  );
  if (control.bundleEndpointUrl !== undefined) {
    const profile = options.bundleEndpointCert === undefined ? "https_spiffe" : "https_web";
    process.stdout.write(`bundle endpoint ${control.bundleEndpointUrl} (${profile})\n`);
  }
  await ended;
  await control.close();
  hold.clear();
  if (process.connected) process.disconnect();
  return exitCodes.done;
}

/** What the options say about etcd; a sentence when they cannot be followed. */
function etcdSettings(options: ControlOptions): EtcdSettings | string | undefined {
  const { etcd: endpoints, etcdPrefix: prefix, etcdCa, etcdCert, etcdKey } = options;
  if (endpoints === undefined) return undefined;
  if ((etcdCert === undefined) !== (etcdKey === undefined)) return "give --etcd-cert and --etcd-key together";
  for (const endpoint of endpoints) {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (url?.protocol !== "http:" && url?.protocol !== "https:")
      return `--etcd takes http(s)://HOST:PORT, not ${JSON.stringify(endpoint)}`;
  }
  try {
    return {
      endpoints,
      prefix,
      ...(etcdCa === undefined ? {} : { caPem: readFileSync(etcdCa, "utf8") }),
      ...(etcdCert === undefined ? {} : { certificatePem: readFileSync(etcdCert, "utf8") }),
      ...(etcdKey === undefined ? {} : { keyPem: readFileSync(etcdKey, "utf8") }),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The command's checks see to it that certificate and key come together. */
function bundleEndpointOf({
  bundleEndpoint: address,
  bundleEndpointCert: certificateFile,
  bundleEndpointKey: keyFile,
}: ControlOptions): Pick<Parameters<typeof startControl>[0], "bundleEndpoint"> {
  if (address === undefined) return {};
  if (certificateFile === undefined || keyFile === undefined) return { bundleEndpoint: { address } };
  return { bundleEndpoint: { address, web: { certificateFile, keyFile } } };
}

/** The built dashboard lies beside the built program, at one of several depths. */
function findDashboard(): string | undefined {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < 4; level++) {
    const candidate = join(directory, "dashboard");
    if (existsSync(join(candidate, "index.html"))) return candidate;
    directory = dirname(directory);
  }
  return undefined;
}

/** For tests of crashes: the process kills itself at the first checkpoint of this name, as a power cut would. */
function crashPoint(name: string | undefined): { readonly checkpoint?: (step: string) => void } {
  if (name === undefined) return {};
  return {
    checkpoint(step) {
      if (step === name) process.kill(process.pid, "SIGKILL");
    },
  };
}

function registry(): MetricRegistry {
  const metrics = createMetricRegistry();
  const { BUILD } = metricNames;
  metrics.gauge(BUILD.name, BUILD.help, { version: packageVersion, node: process.versions.node }).set(1);
  return metrics;
}
