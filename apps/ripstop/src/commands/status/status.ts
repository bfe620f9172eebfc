// Prints the control plane's facts and the table of workloads.

import {
  parseWorkerStreamId,
  type ControlInfo,
  type ProxyList,
  type ReplicaView,
  type WorkloadView,
} from "@ripstop/model";
import { isRecord, type EndpointSourceSpec, type Resource } from "@ripstop/resources";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import { listResources } from "../../kinds.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { statusSummary } from "../../output/status-summary.ts";
import { formatTable } from "../../output/table.ts";
import { ASK_ALL_MS, unknownLines } from "../../output/unknown-replicas.ts";
import { configTexts } from "./config-text.ts";

/** Prints; the exit code. */
export async function status(options: HomeOption & OutputOption): Promise<number> {
  const api = controlApi(options);
  const [info, workloads, connected, imports] = await Promise.all([
    api.info(),
    api.call<{ readonly workloads: readonly WorkloadView[] }>("GET", "/v1/workloads"),
    api.call<ProxyList>("GET", "/v1/proxies", undefined, ASK_ALL_MS),
    listResources(api, "EndpointSource", undefined),
  ]);
  if (!info.ok) return printFailure(info.error);
  if (!workloads.ok) return printFailure(workloads.error);
  if (!connected.ok) return printFailure(connected.error);
  // A control plane of an older version does not know the kind.
  const sources = imports.ok ? imports.value : [];
  const streams = connected.value;
  const rows = workloads.value.workloads;
  const { version, trustDomain, revision, dashboardUrl } = info.value;
  const proxies = new Set(streams.proxies.map(({ proxyId }) => parseWorkerStreamId(proxyId).proxyId)).size;
  const text = (): string =>
    `control plane ${version}, trust domain ${trustDomain}, revision ${revision}, ${proxies} proxies connected\n` +
    `dashboard ${dashboardUrl}\n${replicasText(info.value, streams.unknown)}\n${rows.length === 0 ? "no workloads yet: start one with `ripstop run`\n" : workloadTable(rows, streams)}${importTable(sources)}`;
  process.stdout.write(
    await formatOutput(options.output, { control: info.value, workloads: rows, ...streams, imports: sources }, text),
  );
  return exitCodes.done;
}

/** The EndpointSources, with what each gave last; "" when there are none. */
export function importTable(sources: readonly Resource[]): string {
  if (sources.length === 0) return "";
  return `\n${formatTable(
    [
      { title: "endpoint source", cell: ({ metadata }: Resource) => metadata.name },
      { title: "service", cell: ({ spec }) => serviceText((spec as EndpointSourceSpec).service) },
      { title: "from", cell: ({ spec }) => originText(spec as EndpointSourceSpec) },
      { title: "instances", cell: ({ status: found }) => instancesText(found), right: true },
      { title: "status", cell: statusSummary },
    ],
    sources,
  )}`;
}

function serviceText({ namespace, name }: EndpointSourceSpec["service"]): string {
  return `${namespace}/${name}`;
}

function originText({ dnsSrv, consul }: EndpointSourceSpec): string {
  return dnsSrv === undefined ? `Consul ${consul?.service ?? ""} at ${consul?.url ?? ""}` : `SRV ${dnsSrv.name}`;
}

function instancesText(found: unknown): string {
  return isRecord(found) && typeof found["instances"] === "number" ? String(found["instances"]) : "-";
}

/** Of a mesh with several control planes: which are there, whether this one knows what the others do, and who does not answer it. */
export function replicasText(
  { replicas, cutOffMs = 0 }: Pick<ControlInfo, "replicas" | "cutOffMs">,
  unknown?: ProxyList["unknown"],
): string {
  if (replicas === undefined) return "";
  const warning =
    cutOffMs > 0
      ? `this control plane is cut off: etcd has not answered for ${Math.round(cutOffMs / 1000)} s, what it says may be old\n`
      : "";
  const table = formatTable(
    [
      { title: "control plane", cell: (one: ReplicaView) => one.id },
      { title: "streams", cell: (one) => one.streamAddress },
      { title: "joins", cell: (one) => one.joinAddress },
      { title: "proxies", cell: (one) => String(one.proxies), right: true },
      { title: "", cell: (one) => [...(one.leader ? ["leads"] : []), ...(one.self ? ["answers"] : [])].join(", ") },
    ],
    replicas,
  );
  const silent = unknownLines(unknown).map((line) => `${line}\n`);
  return `${warning}\n${table}${silent.join("")}`;
}

/** The table of `ripstop up` and `ripstop status`; with the proxies' streams also whether their config is live. */
export function workloadTable(rows: readonly WorkloadView[], streams?: ProxyList): string {
  const config = configTexts(streams?.proxies ?? []);
  // It may be at a control plane that does not answer.
  const elsewhere = streams?.unknown === undefined ? "not connected" : "unknown";
  return formatTable(
    [
      { title: "service", cell: (row: WorkloadView) => `${row.namespace}/${row.service}` },
      { title: "version", cell: (row) => (row.version === "" ? "-" : row.version) },
      { title: "identity", cell: (row) => row.spiffeId },
      { title: "address", cell: (row) => (row.applicationAddress === "" ? "-" : row.applicationAddress) },
      { title: "ready", cell: readyText },
      { title: "mutual TLS", cell: mutualTlsText },
      { title: "requests", cell: (row) => String(row.requests), right: true },
      ...(streams === undefined
        ? []
        : [{ title: "config", cell: ({ id }: WorkloadView) => config.get(id) ?? elsewhere }]),
    ],
    rows,
  );
}

function readyText({ ready, heldDown }: WorkloadView): string {
  if (heldDown === undefined) return ready ? "yes" : "no";
  const until = new Date(heldDown.untilMs).toISOString().slice(11, 19);
  return `${ready ? "yes" : "no"}, held down until ${until} UTC: went away ${heldDown.times} times`;
}

/** Of inbound traffic: a workload without a port has none. */
function mutualTlsText({ applicationAddress, mutualTls }: WorkloadView): string {
  if (applicationAddress === "") return "-";
  if (mutualTls === undefined) return "no traffic";
  return mutualTls ? "yes" : "NO";
}
