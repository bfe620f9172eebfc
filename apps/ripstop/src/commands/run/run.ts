// From command line options to a WorkloadRun, and from signals of this process to it.

import {
  freePort,
  meshHome,
  RUN_FAILED_EXIT_CODE,
  WorkloadRun,
  type ControlApi,
  type RunPort,
} from "@ripstop/agent-engine";
import { holdProcess, systemClock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { HomeOption, UpstreamOption } from "../../options.ts";
import { joinApi, type JoinOption } from "../../join-options.ts";
import { printError } from "../../output/failure.ts";
import { proxyCommand } from "../../proxy-command.ts";

/** Options of `ripstop run`. */
export interface RunCommandOptions extends HomeOption, JoinOption {
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount?: string;
  readonly port?: number | "auto";
  readonly servicePort?: number;
  readonly protocol: RunPort["protocol"];
  readonly label: Readonly<Record<string, string>>;
  readonly region?: string;
  readonly zone?: string;
  readonly sendProxy?: "v1" | "v2";
  readonly upstream: readonly UpstreamOption[];
  readonly proxiedUpstream: readonly UpstreamOption[];
  readonly inboundProxy: boolean;
  readonly metricsPort?: number | "auto";
  readonly advertise?: string;
  readonly proxyWorkers: number;
  readonly tunnelIdle: number;
  readonly drain: number;
  readonly waitTimeout: number;
  readonly endWithParent: boolean;
}

/** Service port of an application that takes any port. */
const AUTO_SERVICE_PORT = 80;

/** Runs to the end; the exit code. */
export async function run(command: readonly string[], options: RunCommandOptions): Promise<number> {
  let api: ControlApi | undefined;
  if (options.join !== undefined) {
    const joined = joinApi(options);
    if (!joined.ok) {
      printError(joined.error.kind, joined.error.message);
      return RUN_FAILED_EXIT_CODE;
    }
    api = joined.value.api;
  }
  const workload = new WorkloadRun(
    {
      home: meshHome(options.home, process.env),
      service: options.service,
      namespace: options.namespace,
      serviceAccount: options.serviceAccount,
      labels: { ...options.label, ...placeLabels(options) },
      port: await portOf(options),
      upstreams: [
        ...options.upstream,
        ...options.proxiedUpstream.map((upstream) => ({ ...upstream, proxyProtocol: true })),
      ],
      inboundProxyProtocol: options.inboundProxy,
      ...(options.advertise === undefined ? {} : { advertiseHost: options.advertise }),
      metricsPort: await metricsPortOf(options),
      proxyWorkers: options.proxyWorkers,
      tunnelIdleMs: options.tunnelIdle,
      drainMs: options.drain,
      waitTimeoutMs: options.waitTimeout,
      command,
    },
    {
      clock: systemClock,
      createKeyAndCsr,
      proxyCommand: proxyCommand(),
      env: process.env,
      ...(api === undefined ? {} : { api }),
      report: (line) => process.stderr.write(`${line}\n`),
    },
  );
  // Signals stay handled until the process is gone: a late one must not cut the clean-up short.
  process.on("SIGTERM", () => workload.signal("SIGTERM"));
  process.on("SIGUSR2", () => void workload.restartProxy());
  process.on("SIGHUP", () => workload.signal("SIGHUP"));
  // A terminal sends Ctrl-C to the whole foreground group, the application included.
  process.on("SIGINT", () => workload.signal("SIGINT", process.stdin.isTTY));
  if (options.endWithParent) process.on("disconnect", () => workload.signal("SIGTERM"));
  const hold = holdProcess();
  try {
    return await workload.run();
  } finally {
    hold.clear();
    if (process.connected) process.disconnect();
  }
}

/** Where it runs, by the labels that Kubernetes has for it. */
function placeLabels({ region, zone }: RunCommandOptions): Record<string, string> {
  return {
    ...(region === undefined ? {} : { "topology.kubernetes.io/region": region }),
    ...(zone === undefined ? {} : { "topology.kubernetes.io/zone": zone }),
  };
}

async function portOf(options: RunCommandOptions): Promise<RunPort | undefined> {
  if (options.port === undefined) return undefined;
  const auto = options.port === "auto";
  const port = options.port === "auto" ? await freePort() : options.port;
  return {
    port,
    servicePort: options.servicePort ?? (auto ? AUTO_SERVICE_PORT : port),
    protocol: options.protocol,
    ...(options.sendProxy === undefined ? {} : { proxyProtocol: options.sendProxy }),
  };
}

async function metricsPortOf({ metricsPort }: RunCommandOptions): Promise<number | undefined> {
  if (metricsPort !== "auto") return metricsPort;
  const port = await freePort();
  process.stderr.write(`metrics http://127.0.0.1:${port}/metrics\n`);
  return port;
}
