// `ripstop token`: join tokens.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../options.ts";
import type { TokenCreateOptions, TokenOptions } from "./token.ts";

const EXAMPLES = `
Examples:
  ripstop token create --namespace shop --service-account web > web.token
  ripstop token create --node edge-1 --ttl 1h > edge-1.token
  ripstop token list
  ripstop token revoke 3f2a9c01b4d7

A token is good for one join, of exactly that identity. It is printed once; the control plane keeps a hash. It also names
the root certificates of the mesh, so that its bearer needs nothing else:
  ripstop run --join HOST:PORT --token-file web.token --namespace shop --service web -- node web.js`;

/** The group. */
export function tokenCommand(): Command {
  const group = new Command("token").description(
    "one-time tokens with which workloads and nodes join over the network",
  );
  const commands = [createCommand(), listCommand(), revokeCommand()];
  for (const command of commands) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

function createCommand(): Command {
  return withOutput(withHome(new Command("create")), ["table", "json"])
    .description("make a token for one workload identity or one node")
    .option("--namespace <name>", "namespace of the identity", "default")
    .option("--service-account <name>", "service account of the identity")
    .option("--node <name>", "for the agent of this node instead")
    .option("--ttl <duration>", "how long it may be used, 10s to 720h", durationOption, 600_000)
    .action(async (options: TokenCreateOptions) => {
      const { createToken } = await import("./token.ts");
      process.exitCode = await createToken(options);
    });
}

function listCommand(): Command {
  return withOutput(withHome(new Command("list")))
    .description("show the tokens and whether they were used")
    .action(async (options: TokenOptions) => {
      const { listTokens } = await import("./token.ts");
      process.exitCode = await listTokens(options);
    });
}

function revokeCommand(): Command {
  return withOutput(withHome(new Command("revoke")))
    .description("make a token useless")
    .argument("<id>", "id of the token, from `ripstop token list`")
    .action(async (id: string, options: TokenOptions) => {
      const { revokeToken } = await import("./token.ts");
      process.exitCode = await revokeToken(id, options);
    });
}
