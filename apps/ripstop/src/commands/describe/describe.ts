// Prints one thing in full: what was asked for, what the mesh made of it.

import type { Resource } from "@ripstop/resources";
import type { WorkloadView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import { resourcePath } from "../../kinds.ts";
import type { HomeOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { printable } from "../../output/table.ts";

/** Options of `ripstop describe`. */
export interface DescribeOptions extends HomeOption {
  readonly namespace: string;
}

/** Prints; the exit code. */
export async function describe(kind: string, name: string, options: DescribeOptions): Promise<number> {
  const api = controlApi(options);
  const { stringify } = await import("yaml");
  if (/^workloads?$/i.test(kind)) {
    const answer = await api.call<{ readonly workloads: readonly WorkloadView[] }>("GET", "/v1/workloads");
    if (!answer.ok) return printFailure(answer.error);
    const id = name.includes("/") ? name : `${options.namespace}/${name}`;
    const workload = answer.value.workloads.find((one) => one.id === id);
    if (workload === undefined) {
      process.stderr.write(`ripstop: there is no workload ${printable(id)}; \`ripstop status\` lists them\n`);
      return exitCodes.failed;
    }
    process.stdout.write(stringify(workload, { lineWidth: 0 }));
    return exitCodes.done;
  }
  const answer = await api.call<Resource>("GET", resourcePath(kind, options.namespace, name));
  if (!answer.ok) return printFailure(answer.error);
  const { apiVersion, kind: kindName, metadata, spec, status, ...body } = answer.value;
  const facts = [
    ["Name", metadata.name],
    ["Namespace", metadata.namespace === "" ? "-" : metadata.namespace],
    ["Kind", `${kindName} (${apiVersion})`],
    ["Created", metadata.creationTimestamp],
    ["Generation", String(metadata.generation)],
    ["Revision", metadata.resourceVersion],
  ];
  // Kinds such as Secret have no spec: their fields stand beside metadata.
  const [heading, shown] = spec === undefined ? ["Fields", body] : ["Spec", spec];
  const lines = facts.map(([title = "", value = ""]) => `${`${title}:`.padEnd(12)} ${printable(value)}\n`);
  process.stdout.write(`${lines.join("")}${heading}:\n${indent(stringify(shown, { lineWidth: 0 }))}`);
  process.stdout.write(
    status === undefined ? "Status:      none yet\n" : `Status:\n${indent(stringify(status, { lineWidth: 0 }))}`,
  );
  return exitCodes.done;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
