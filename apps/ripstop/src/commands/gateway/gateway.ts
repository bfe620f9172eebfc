// From command line options to a WorkloadRun without an application.

import { freePort, meshHome, RUN_FAILED_EXIT_CODE, WorkloadRun, type ControlApi } from "@ripstop/agent-engine";
import { holdProcess, systemClock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import { joinApi, type JoinOption } from "../../join-options.ts";
import type { HomeOption } from "../../options.ts";
import { printError } from "../../output/failure.ts";
import { proxyCommand } from "../../proxy-command.ts";

/** Options of `ripstop gateway`. */
export interface GatewayCommandOptions extends HomeOption, JoinOption {
  readonly namespace: string;
  readonly address: string;
  readonly portOffset: number;
  readonly serviceAccount: string;
  readonly workers: number;
  readonly metricsPort?: number | "auto";
  readonly drain: number;
  readonly waitTimeout: number;
}

/** Runs to the end; the exit code. */
export async function gateway(names: readonly string[], options: GatewayCommandOptions): Promise<number> {
  let api: ControlApi | undefined;
  if (options.join !== undefined) {
    const joined = joinApi(options);
    if (!joined.ok) {
      printError(joined.error.kind, joined.error.message);
      return RUN_FAILED_EXIT_CODE;
    }
    api = joined.value.api;
  }
  // Which addresses it listens on, and why not, is worth a line each.
  process.env["RIPSTOP_LOG_LEVEL"] ??= "info";
  const unique = [...new Set(names)];
  const run = new WorkloadRun(
    {
      home: meshHome(options.home, process.env),
      service: serviceName(unique[0] ?? ""),
      namespace: options.namespace,
      serviceAccount: options.serviceAccount,
      labels: {},
      port: undefined,
      upstreams: [],
      metricsPort: await metricsPortOf(options),
      proxyWorkers: options.workers,
      drainMs: options.drain,
      waitTimeoutMs: options.waitTimeout,
      command: [],
      gateway: { names: unique, address: options.address, portOffset: options.portOffset },
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
  process.on("SIGTERM", () => run.signal("SIGTERM"));
  process.on("SIGINT", () => run.signal("SIGINT"));
  process.on("SIGHUP", () => run.signal("SIGHUP"));
  process.on("SIGUSR2", () => void run.restartProxy());
  const hold = holdProcess();
  try {
    return await run.run();
  } finally {
    hold.clear();
  }
}

const MAX_LABEL = 63;
const SUFFIX = "-gateway";

/** The service that telemetry names it by; a Gateway's name may be longer than a label and have dots. */
function serviceName(name: string): string {
  return `${name
    .replaceAll(".", "-")
    .slice(0, MAX_LABEL - SUFFIX.length)
    .replace(/-+$/, "")}${SUFFIX}`;
}

async function metricsPortOf({ metricsPort }: GatewayCommandOptions): Promise<number | undefined> {
  if (metricsPort !== "auto") return metricsPort;
  const port = await freePort();
  process.stderr.write(`metrics http://127.0.0.1:${port}/metrics\n`);
  return port;
}
