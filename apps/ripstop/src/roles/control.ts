// The control role: wires the control engine, runs it until a signal, takes it down.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { meshHome, type JoinAddress } from "@ripstop/agent-engine";
import { startControl, type EtcdSettings } from "@ripstop/control-engine";
import { holdProcess, parseDurationMs, systemClock } from "@ripstop/core";
import { createPeerVerification } from "@ripstop/identity";
import type { ControlPlaneConfigSpec } from "@ripstop/resources";

import { createLogger, createMetricRegistry, logFormatFor, metricNames, type MetricRegistry } from "@ripstop/telemetry";
import { exitCodes } from "../exit-codes.ts";
import type { HomeOption } from "../options.ts";
import { printError } from "../output/failure.ts";
import { packageVersion } from "../package-version.ts";

/** What the role needs beside its settings. */
export interface ControlRoleOptions extends HomeOption {
  readonly endWithParent: boolean;
}

/** Runs the control plane to the end; the exit code. */
export async function controlRole(spec: ControlPlaneConfigSpec, options: ControlRoleOptions): Promise<number> {
  const hold = holdProcess();
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    if (options.endWithParent) process.on("disconnect", () => resolve());
  });
  const home = meshHome(options.home, process.env);
  const dashboardDirectory = findDashboard();
  const etcd = etcdSettings(spec.store.etcd);
  if (typeof etcd === "string") {
    process.stderr.write(`ripstop: ${etcd}\n`);
    return exitCodes.usage;
  }
  const { authority = {}, limits } = spec;
  const started = await startControl({
    home: home.path,
    clock: systemClock,
    version: packageVersion,
    metrics: registry(),
    verifyPeer: createPeerVerification(systemClock),
    logger: createLogger({ clock: systemClock, level: "info", format: logFormatFor(process.stderr) }),
    ...(spec.trustDomain === undefined ? {} : { trustDomain: spec.trustDomain }),
    ...duration("svidTtlMs", authority.svidTtl),
    ...duration("rootLifetimeMs", authority.rootLifetime),
    ...(authority.keyKind === undefined ? {} : { caKey: authority.keyKind }),
    ...(authority.externalDirectory === undefined ? {} : { externalCaDirectory: resolve(authority.externalDirectory) }),
    ...crashPoint(process.env["RIPSTOP_TEST_KILL_AT"]),
    ...listening("joinAddress", spec.join?.address),
    ...listening("streamAddress", spec.stream?.address),
    ...apiOf(spec.api),
    ...(spec.dashboard?.port === undefined ? {} : { dashboardPort: spec.dashboard.port }),
    keepRevisions: spec.store.keepRevisions,
    limits,
    ...(etcd === undefined ? {} : { etcd }),
    ...(authority.sharedKeyFile === undefined ? {} : { authorityKeyFile: resolve(authority.sharedKeyFile) }),
    ...(spec.replica?.host === undefined ? {} : { replicaHost: spec.replica.host }),
    ...bundleEndpointOf(spec.bundleEndpoint),
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
  if (control.apiAddress !== undefined) process.stdout.write(`api https://${control.apiAddress}/\n`);
  if (control.bundleEndpointUrl !== undefined) {
    const profile = spec.bundleEndpoint?.certificateFile === undefined ? "https_spiffe" : "https_web";
    process.stdout.write(`bundle endpoint ${control.bundleEndpointUrl} (${profile})\n`);
  }
  await ended;
  await control.close();
  hold.clear();
  if (process.connected) process.disconnect();
  return exitCodes.done;
}

/** A duration of the settings, which has been checked, in milliseconds. */
function duration<Name extends string>(name: Name, text: string | undefined): { readonly [key in Name]?: number } {
  const parsed = text === undefined ? undefined : parseDurationMs(text);
  return parsed?.ok === true ? ({ [name]: parsed.value } as { readonly [key in Name]?: number }) : {};
}

/** "HOST:PORT" of the settings, which has been checked; port 0 is a free one. */
function listenAddress(text: string): JoinAddress {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replaceAll(/[[\]]/g, ""), port: Number(text.slice(colon + 1)) };
}

/** An address of the settings. */
function listening<Name extends string>(
  name: Name,
  text: string | undefined,
): { readonly [key in Name]?: JoinAddress } {
  const address = text === undefined ? undefined : listenAddress(text);
  return address === undefined ? {} : ({ [name]: address } as { readonly [key in Name]?: JoinAddress });
}

function apiOf(api: ControlPlaneConfigSpec["api"]): Pick<Parameters<typeof startControl>[0], "api"> {
  const address = api?.address === undefined ? undefined : listenAddress(api.address);
  if (address === undefined) return {};
  const { certificateFile, keyFile } = api ?? {};
  return {
    api: {
      address,
      ...(certificateFile === undefined || keyFile === undefined
        ? {}
        : { files: { certificateFile: resolve(certificateFile), keyFile: resolve(keyFile) } }),
    },
  };
}

/** What the settings say about etcd; a sentence when a file cannot be read. */
function etcdSettings(etcd: ControlPlaneConfigSpec["store"]["etcd"]): EtcdSettings | string | undefined {
  if (etcd?.endpoints === undefined) return undefined;
  const { endpoints, prefix, caFile: etcdCa, certificateFile: etcdCert, keyFile: etcdKey } = etcd;
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

function bundleEndpointOf(
  endpoint: ControlPlaneConfigSpec["bundleEndpoint"],
): Pick<Parameters<typeof startControl>[0], "bundleEndpoint"> {
  const { address, certificateFile, keyFile } = endpoint ?? {};
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
