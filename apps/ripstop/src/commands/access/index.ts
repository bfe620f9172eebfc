// `ripstop access`: who may use the API.

import { Command, Option } from "commander";
import { durationOption, withHome, withOutput } from "../../options.ts";
import type { AccessOptions, AccessTokenOptions } from "./access.ts";

const EXAMPLES = `
Examples:
  ripstop access token create ci --role editor --namespace shop --ttl 720h > ci.token
  ripstop access token create dashboards --role viewer
  ripstop access token list
  ripstop access token revoke 3f2a9c01b4d7
  ripstop access whoami

A token is printed once; the control plane keeps a hash. Its bearer uses the API over TLS (ripstop control --api-address):
  ripstop login --server HOST:PORT --token-file ci.token --ca mesh.pem`;

/** The group. */
export function accessCommand(): Command {
  const group = new Command("access").description("who may use the API: tokens with a role, and who you are");
  const tokens = new Command("token").description("API tokens: create, list, revoke");
  for (const command of [createCommand(), listCommand(), revokeCommand()]) {
    command.copyInheritedSettings(tokens);
    tokens.addCommand(command);
  }
  for (const command of [tokens, whoamiCommand()]) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

function createCommand(): Command {
  return withOutput(withHome(new Command("create")), ["table", "json"])
    .description("make a token")
    .argument("<name>", "what it is for")
    .addOption(
      new Option("--role <role>", "what it allows").choices(["viewer", "editor", "admin"]).makeOptionMandatory(),
    )
    .option("--namespace <names...>", "where the role holds (default: the whole mesh)")
    .option("--ttl <duration>", "how long, 1m to 8784h", durationOption, 30 * 24 * 3_600_000)
    .action(async (name: string, options: AccessTokenOptions) => {
      const { createAccessToken } = await import("./access.ts");
      process.exitCode = await createAccessToken(name, options);
    });
}

function listCommand(): Command {
  return withOutput(withHome(new Command("list")))
    .description("show the tokens, without their secrets")
    .action(async (options: AccessOptions) => {
      const { listAccessTokens } = await import("./access.ts");
      process.exitCode = await listAccessTokens(options);
    });
}

function revokeCommand(): Command {
  return withOutput(withHome(new Command("revoke")))
    .description("make a token useless at once")
    .argument("<id>", "id of the token, from `ripstop access token list`")
    .action(async (id: string, options: AccessOptions) => {
      const { revokeAccessToken } = await import("./access.ts");
      process.exitCode = await revokeAccessToken(id, options);
    });
}

function whoamiCommand(): Command {
  return withOutput(withHome(new Command("whoami")))
    .description("show who the control plane takes you for, and what you may do")
    .action(async (options: AccessOptions) => {
      const { whoami } = await import("./access.ts");
      process.exitCode = await whoami(options);
    });
}
