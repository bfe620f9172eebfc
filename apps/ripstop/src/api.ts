// How commands reach the control plane.

import { ControlApi, meshHome } from "@ripstop/agent-engine";
import type { HomeOption } from "./options.ts";
import { exitCodes } from "./exit-codes.ts";
import { printError } from "./output/failure.ts";
import { RemoteApi } from "./remote-api.ts";
import { remoteLogin } from "./remote-login.ts";

/** The API on the mesh home that the options name, or of the control plane on another host that the user logged in to. */
export function controlApi(options: HomeOption): ControlApi {
  const home = meshHome(options.home, process.env);
  const elsewhere = remoteLogin(home, process.env);
  if (elsewhere.ok)
    return elsewhere.value === undefined ? new ControlApi(home.apiSocket) : new RemoteApi(elsewhere.value);
  printError(elsewhere.error.kind, elsewhere.error.message);
  // oxlint-disable-next-line unicorn/no-process-exit -- nothing is begun yet, and no command can go on without an API
  process.exit(exitCodes.usage);
}
