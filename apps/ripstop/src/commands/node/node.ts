// Lists and removes nodes.

import type { NodeView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** Options of every subcommand. */
export interface NodeOptions extends HomeOption, OutputOption {}

/** Prints the table; the exit code. */
export async function listNodes(options: NodeOptions): Promise<number> {
  const answer = await controlApi(options).call<{ readonly nodes: readonly NodeView[] }>("GET", "/v1/nodes");
  if (!answer.ok) return printFailure(answer.error);
  const { nodes } = answer.value;
  process.stdout.write(await formatOutput(options.output, nodes, () => nodeTable(nodes)));
  return exitCodes.done;
}

/** Removes; the exit code. */
export async function removeNode(name: string, options: NodeOptions): Promise<number> {
  const answer = await controlApi(options).call<NodeView>("DELETE", `/v1/nodes/${encodeURIComponent(name)}`);
  if (!answer.ok) return printFailure(answer.error);
  const text = (): string => `node ${answer.value.name} is removed; what it was issued stays valid until it expires\n`;
  process.stdout.write(await formatOutput(options.output, answer.value, text));
  return exitCodes.done;
}

function nodeTable(nodes: readonly NodeView[]): string {
  if (nodes.length === 0) return "no nodes have joined: `ripstop token create --node NAME`, then `ripstop agent`\n";
  const time = (ms: number): string => new Date(ms).toISOString();
  return formatTable(
    [
      { title: "name", cell: (node: NodeView) => node.name },
      { title: "identity", cell: (node) => node.spiffeId },
      { title: "joined", cell: (node) => time(node.joinedMs) },
      { title: "by", cell: (node) => node.method },
      { title: "renewed", cell: (node) => time(node.renewedMs) },
      { title: "may return until", cell: (node) => time(node.proofUntilMs) },
    ],
    nodes,
  );
}
