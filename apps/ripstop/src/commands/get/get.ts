// Asks for resources and prints them.

import type { Resource } from "@ripstop/resources";
import type { WorkloadView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import { listResources, resourcePath } from "../../kinds.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { statusSummary } from "../../output/status-summary.ts";
import { formatTable } from "../../output/table.ts";
import { workloadTable } from "../status/status.ts";

/** Options of `ripstop get`. */
export interface GetOptions extends HomeOption, OutputOption {
  readonly namespace: string;
  readonly allNamespaces: boolean;
  readonly selector?: string;
  readonly watch: boolean;
}

/** Prints; the exit code. */
export async function get(kind: string, name: string | undefined, options: GetOptions): Promise<number> {
  const api = controlApi(options);
  if (/^workloads?$/i.test(kind)) {
    const answer = await api.call<{ readonly workloads: readonly WorkloadView[] }>("GET", "/v1/workloads");
    if (!answer.ok) return printFailure(answer.error);
    const rows = answer.value.workloads.filter(
      (row) =>
        (options.allNamespaces || options.namespace === "default" || row.namespace === options.namespace) &&
        (name === undefined || row.id.endsWith(`/${name}`)),
    );
    process.stdout.write(await formatOutput(options.output, rows, () => workloadTable(rows)));
    return exitCodes.done;
  }
  if (name !== undefined) {
    const one = await api.call<Resource>("GET", resourcePath(kind, options.namespace, name));
    if (!one.ok) return printFailure(one.error);
    process.stdout.write(await formatOutput(options.output, one.value, () => resourceTable([one.value])));
    return exitCodes.done;
  }
  if (options.watch) {
    const { watchResources } = await import("./watch.ts");
    return watchResources(api, kind, options);
  }
  const namespace = options.allNamespaces ? undefined : options.namespace;
  const found = await listResources(api, kind, namespace, options.selector);
  if (!found.ok) return printFailure(found.error);
  process.stdout.write(await formatOutput(options.output, found.value, () => resourceTable(found.value)));
  return exitCodes.done;
}

function resourceTable(resources: readonly Resource[]): string {
  if (resources.length === 0) return "no resources found\n";
  return formatTable(
    [
      { title: "kind", cell: (row: Resource) => row.kind },
      { title: "namespace", cell: (row) => (row.metadata.namespace === "" ? "-" : row.metadata.namespace) },
      { title: "name", cell: (row) => row.metadata.name },
      { title: "generation", cell: (row) => String(row.metadata.generation), right: true },
      { title: "changed in revision", cell: (row) => row.metadata.resourceVersion, right: true },
      { title: "created", cell: (row) => row.metadata.creationTimestamp },
      ...(resources.some((row) => statusSummary(row) !== "") ? [{ title: "status", cell: statusSummary }] : []),
    ],
    resources,
  );
}
