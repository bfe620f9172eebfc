// How commands reach the control plane.

import { ControlApi, meshHome } from "@ripstop/agent-engine";
import type { HomeOption } from "./options.ts";

/** The API on the mesh home that the options name. */
export function controlApi(options: HomeOption): ControlApi {
  return new ControlApi(meshHome(options.home, process.env).apiSocket);
}
