// Where commands find a control plane on another host: RIPSTOP_SERVER and RIPSTOP_TOKEN, or what `ripstop login` kept.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { parseJoinAddress, type MeshHome } from "@ripstop/agent-engine";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { loginInvalid } from "./errors.ts";
import type { RemoteApiOptions } from "./remote-api.ts";

/** What `ripstop login` keeps, in "login.json" of the mesh home (0600). */
export interface StoredLogin {
  /** "HOST:PORT". */
  readonly server: string;
  readonly token: string;
  readonly caPem?: string;
}

const FILE = "login.json";

/**
 * The control plane on another host that is meant: by RIPSTOP_SERVER; or by a login, when no control plane has this home.
 * undefined: the one of the home.
 */
export function remoteLogin(
  home: MeshHome,
  env: NodeJS.ProcessEnv,
): Result<RemoteApiOptions | undefined, RipstopError> {
  const server = env["RIPSTOP_SERVER"];
  if (server !== undefined && server !== "") {
    try {
      const caFile = env["RIPSTOP_CA_FILE"];
      const tokenFile = env["RIPSTOP_TOKEN_FILE"];
      const token = tokenFile === undefined ? (env["RIPSTOP_TOKEN"] ?? "") : readFileSync(tokenFile, "utf8").trim();
      if (token === "") return invalid("RIPSTOP_SERVER is set, but neither RIPSTOP_TOKEN nor RIPSTOP_TOKEN_FILE");
      return remote({ server, token, ...(caFile === undefined ? {} : { caPem: readFileSync(caFile, "utf8") }) });
    } catch (error) {
      return invalid(error instanceof Error ? error.message : String(error));
    }
  }
  if (existsSync(home.apiSocket)) return ok(undefined);
  const stored = readLogin(home);
  return stored === undefined ? ok(undefined) : remote(stored);
}

/** What a login says; fails when its address is none. */
export function remote({ server, token, caPem }: StoredLogin): Result<RemoteApiOptions, RipstopError> {
  const address = parseJoinAddress(server);
  if (address === undefined) return invalid(`${JSON.stringify(server)} is not HOST:PORT`);
  return ok({ address, token, ...(caPem === undefined ? {} : { caPem }) });
}

/** Keeps a login, for its owner alone. */
export function writeLogin(home: MeshHome, login: StoredLogin): void {
  const path = join(home.path, FILE);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(login, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Forgets the login; false when there was none. */
export function removeLogin(home: MeshHome): boolean {
  const path = join(home.path, FILE);
  if (!existsSync(path)) return false;
  rmSync(path);
  return true;
}

function readLogin(home: MeshHome): StoredLogin | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(home.path, FILE), "utf8"));
    return isLogin(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isLogin(value: unknown): value is StoredLogin {
  return (
    typeof value === "object" &&
    value !== null &&
    "server" in value &&
    typeof value.server === "string" &&
    "token" in value &&
    typeof value.token === "string"
  );
}

function invalid(message: string): Result<never, RipstopError> {
  return err(new RipstopError(loginInvalid, message));
}
