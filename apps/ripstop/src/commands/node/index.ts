// `ripstop node`: the hosts whose agents have joined.

import { Command } from "commander";
import { withHome, withOutput } from "../../options.ts";
import type { NodeOptions } from "./node.ts";

const EXAMPLES = `
Examples:
  ripstop node list
  ripstop node remove edge-1      its agent has to join again, with a new token`;

/** The group. */
export function nodeCommand(): Command {
  const group = new Command("node").description("hosts whose agents have joined the mesh");
  const list = withOutput(withHome(new Command("list")))
    .description("show the nodes, and until when each can come back by itself")
    .action(async (options: NodeOptions) => {
      const { listNodes } = await import("./node.ts");
      process.exitCode = await listNodes(options);
    });
  const remove = withOutput(withHome(new Command("remove")))
    .description("forget a node: its key proves nothing any more")
    .argument("<name>", "name of the node")
    .action(async (name: string, options: NodeOptions) => {
      const { removeNode } = await import("./node.ts");
      process.exitCode = await removeNode(name, options);
    });
  for (const command of [list, remove]) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}
