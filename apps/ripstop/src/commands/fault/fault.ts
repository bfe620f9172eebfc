// Lists and ends faults.

import { systemClock } from "@ripstop/core";
import type { ApplyResponse } from "@ripstop/model";
import { faultExpiryMs, type FaultInjectionSpec, type FaultRuleSpec, type TargetRef } from "@ripstop/policies/fault";
import type { Resource } from "@ripstop/resources";
import { controlApi } from "../../api.ts";
import { faultsNotNamed } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import { listResources, resourcePath } from "../../kinds.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";
import { author } from "../apply/apply.ts";
import { reportChange } from "../apply/report-change.ts";

/** Options of `ripstop fault list`. */
export interface FaultListOptions extends HomeOption, OutputOption {
  readonly namespace?: string;
}

/** Options of `ripstop fault stop`. */
export interface FaultStopOptions extends FaultListOptions {
  readonly all: boolean;
  readonly timeout: number;
  readonly reason: string;
}

/** One FaultInjection as it is shown. */
interface FaultRow {
  readonly namespace: string;
  readonly name: string;
  /** Services, or "all" of the namespace. */
  readonly targets: string;
  readonly faults: string;
  /** RFC 3339: the end of it, as the proxies have it. */
  readonly ends: string;
  readonly active: boolean;
}

/** Prints every fault; the exit code. */
export async function listFaults(options: FaultListOptions): Promise<number> {
  const found = await listResources(controlApi(options), "FaultInjection", options.namespace);
  if (!found.ok) return printFailure(found.error);
  const rows = (found.value as readonly Resource<FaultInjectionSpec>[]).map(rowOf);
  process.stdout.write(await formatOutput(options.output, rows, () => tableOf(rows)));
  return exitCodes.done;
}

/** Deletes faults and waits until no proxy has them; the exit code. */
export async function stopFaults(names: readonly string[], options: FaultStopOptions): Promise<number> {
  if (options.all === names.length > 0) {
    printError(faultsNotNamed, options.all ? "both --all and names are given" : "neither --all nor a name is given");
    return exitCodes.usage;
  }
  const api = controlApi(options);
  const namespace = options.namespace ?? (options.all ? undefined : "default");
  const targets: { readonly namespace: string; readonly name: string }[] = [];
  if (options.all) {
    const found = await listResources(api, "FaultInjection", namespace);
    if (!found.ok) return printFailure(found.error);
    targets.push(...found.value.map(({ metadata }) => metadata));
  } else targets.push(...names.map((name) => ({ namespace: namespace ?? "default", name })));
  const query = new URLSearchParams({ author: author(), reason: options.reason }).toString();
  const changes: ApplyResponse["changes"][number][] = [];
  let revision = 0;
  let code: number = exitCodes.done;
  for (const target of targets) {
    const path = `${resourcePath("FaultInjection", target.namespace, target.name)}?${query}`;
    // oxlint-disable-next-line no-await-in-loop -- one revision after the other
    const answer = await api.call<ApplyResponse>("DELETE", path);
    if (!answer.ok) {
      // A kill switch goes on: what can be ended is ended.
      code = printFailure(answer.error);
      continue;
    }
    revision = answer.value.revision;
    changes.push(...answer.value.changes);
  }
  if (changes.length === 0) {
    if (code === exitCodes.done)
      process.stdout.write(await formatOutput(options.output, { changes }, () => "no fault is injected\n"));
    return code;
  }
  return (await reportChange(api, { revision, changes }, { ...options, wait: true, dryRun: false })) || code;
}

function rowOf(resource: Resource<FaultInjectionSpec>): FaultRow {
  const { metadata, spec } = resource;
  const endsMs = faultExpiryMs(resource);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    targets: spec.targetRefs?.map(describeTarget).join(", ") ?? "all",
    faults: spec.rules.map(describeRule).join("; "),
    ends: new Date(endsMs).toISOString().replace(/\.\d+Z$/, "Z"),
    active: systemClock.nowMs() < endsMs,
  };
}

function describeTarget({ kind, name, sectionName }: TargetRef): string {
  const listener = sectionName === undefined ? "" : `:${sectionName}`;
  return kind === "Service" ? name : `${kind}/${name}${listener}`;
}

function describeRule({ percentage, delay, abort, reset, response }: FaultRuleSpec): string {
  const parts = [
    ...(delay === undefined ? [] : [`delay ${delay}`]),
    ...(abort === undefined ? [] : [`abort ${abort.httpStatus ?? 503}/grpc ${abort.grpcStatus ?? 14}`]),
    ...(reset ? ["reset"] : []),
    ...(response?.bytesPerSecond === undefined ? [] : [`${response.bytesPerSecond} B/s`]),
    ...(response?.cutAfterBytes === undefined ? [] : [`cut after ${response.cutAfterBytes} B`]),
  ];
  return `${parts.join(" + ")} (${percentage} %)`;
}

function tableOf(rows: readonly FaultRow[]): string {
  if (rows.length === 0) return "no fault is injected\n";
  return formatTable(
    [
      { title: "namespace", cell: (row: FaultRow) => row.namespace },
      { title: "name", cell: (row) => row.name },
      { title: "targets", cell: (row) => row.targets },
      { title: "faults", cell: (row) => row.faults },
      { title: "ends", cell: (row) => row.ends },
      { title: "state", cell: (row) => (row.active ? "active" : "expired") },
    ],
    rows,
  );
}
