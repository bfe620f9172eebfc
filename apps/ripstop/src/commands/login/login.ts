// Tries a token, and keeps it when the control plane takes it.

import { readFileSync } from "node:fs";

import { meshHome } from "@ripstop/agent-engine";
import type { CallerView } from "@ripstop/model";
import { loginInvalid } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";
import { printable } from "../../output/table.ts";
import { RemoteApi } from "../../remote-api.ts";
import { remote, removeLogin, writeLogin, type StoredLogin } from "../../remote-login.ts";

/** Options of `ripstop login`. */
export interface LoginOptions extends HomeOption {
  readonly server: string;
  readonly tokenFile: string;
  readonly ca?: string;
}

/** Logs in; the exit code. */
export async function login(options: LoginOptions): Promise<number> {
  let stored: StoredLogin;
  try {
    const token = readFileSync(options.tokenFile === "-" ? 0 : options.tokenFile, "utf8").trim();
    const caPem = options.ca === undefined ? undefined : readFileSync(options.ca, "utf8");
    stored = { server: options.server, token, ...(caPem === undefined ? {} : { caPem }) };
  } catch (error) {
    printError(loginInvalid, error instanceof Error ? error.message : String(error));
    return exitCodes.usage;
  }
  const address = remote(stored);
  if (!address.ok) {
    printError(loginInvalid, address.error.message);
    return exitCodes.usage;
  }
  const answer = await new RemoteApi(address.value).call<CallerView>("GET", "/v1/access/whoami");
  if (!answer.ok) return printFailure(answer.error);
  writeLogin(meshHome(options.home, process.env), stored);
  process.stdout.write(`logged in to ${options.server} as ${printable(answer.value.name)}\n`);
  return exitCodes.done;
}

/** Logs out; the exit code. */
export function logout(options: HomeOption): number {
  const removed = removeLogin(meshHome(options.home, process.env));
  process.stdout.write(removed ? "logged out\n" : "there was no login\n");
  return exitCodes.done;
}
