// The command line: commands, help and what is said about mistakes. Each command loads its own code when it is used.

import { Command } from "commander";
import { accessCommand } from "./commands/access/index.ts";
import { agentCommand } from "./commands/agent/index.ts";
import { applyCommand } from "./commands/apply/index.ts";
import { eventsCommand } from "./commands/events/index.ts";
import { auditCommand } from "./commands/audit/index.ts";
import { backupCommand } from "./commands/backup/index.ts";
import { checkCommand } from "./commands/check/index.ts";
import { controlCommand } from "./commands/control/index.ts";
import { deleteCommand } from "./commands/delete/index.ts";
import { describeCommand } from "./commands/describe/index.ts";
import { diffCommand } from "./commands/diff/index.ts";
import { explainCommand } from "./commands/explain/index.ts";
import { egressCommand } from "./commands/egress/index.ts";
import { faultCommand } from "./commands/fault/index.ts";
import { gatewayCommand } from "./commands/gateway/index.ts";
import { getCommand } from "./commands/get/index.ts";
import { historyCommand } from "./commands/history/index.ts";
import { identityCommand } from "./commands/identity/index.ts";
import { loginCommand, logoutCommand } from "./commands/login/index.ts";
import { mirrorCommand } from "./commands/mirror/index.ts";
import { nodeCommand } from "./commands/node/index.ts";
import { proxyCommand } from "./commands/proxy/index.ts";
import { restoreCommand } from "./commands/restore/index.ts";
import { rollbackCommand } from "./commands/rollback/index.ts";
import { runCommand } from "./commands/run/index.ts";
import { statusCommand } from "./commands/status/index.ts";
import { tapCommand } from "./commands/tap/index.ts";
import { tokenCommand } from "./commands/token/index.ts";
import { upCommand } from "./commands/up/index.ts";
import { versionCommand } from "./commands/version/index.ts";
import { exitCodes } from "./exit-codes.ts";
import { packageVersion } from "./package-version.ts";

const FOOTER = `
First steps:
  ripstop up                                                  a mesh on this machine
  ripstop run --service hello --port 8080 -- node hello.js    an application in it
  ripstop status                                              what runs

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 violations (nothing applied), 4 the control plane does not answer.`;

/** Runs the command that `argv` (as process.argv) names. Sets process.exitCode. */
export async function commandLine(argv: readonly string[]): Promise<void> {
  endWithReader();
  outliveReaderOfErrors();
  const program = createProgram();
  await program.parseAsync([...argv]);
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** `ripstop tap | head`: the reader has enough, and that is no error. */
function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // oxlint-disable-next-line unicorn/no-process-exit -- nobody reads on: there is nothing left to do
    if (error.code === "EPIPE") process.exit(exitCodes.done);
    throw error;
  });
}

/** What nobody reads is lost; an application that runs must not be left alone for that. */
function outliveReaderOfErrors(): void {
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

/** All commands. */
export function createProgram(): Command {
  const program = new Command("ripstop")
    .description("Ripstop, a service mesh: identity, mutual TLS, routing, resilience, authorization and observation")
    .version(packageVersion, "-V, --version")
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for usage and examples)")
    .addHelpText("after", FOOTER);
  const commands = [
    upCommand(),
    runCommand(),
    gatewayCommand(),
    applyCommand(),
    getCommand(),
    describeCommand(),
    explainCommand(),
    deleteCommand(),
    diffCommand(),
    historyCommand(),
    rollbackCommand(),
    statusCommand(),
    tapCommand(),
    eventsCommand(),
    faultCommand(),
    egressCommand(),
    mirrorCommand(),
    identityCommand(),
    agentCommand(),
    tokenCommand(),
    nodeCommand(),
    accessCommand(),
    loginCommand(),
    logoutCommand(),
    auditCommand(),
    backupCommand(),
    restoreCommand(),
    checkCommand(),
    controlCommand(),
    proxyCommand(),
    versionCommand(),
  ];
  for (const command of commands) {
    command.copyInheritedSettings(program);
    program.addCommand(command);
  }
  for (const command of [program, ...commands.flatMap(withSubcommands)]) {
    command.exitOverride((error) => {
      // oxlint-disable-next-line unicorn/no-process-exit -- commander has printed the reason; help and version are code 0
      process.exit(error.exitCode === 0 ? exitCodes.done : exitCodes.usage);
    });
  }
  return program;
}
