// The control role: wires the control engine, runs it until a signal, takes it down.

import { exitCodes } from "../exit-codes.ts";
import type { HomeOption } from "../options.ts";

/** Options of `ripstop control`. */
export interface ControlOptions extends HomeOption {
  readonly trustDomain?: string;
  readonly dashboardPort?: number;
  readonly endWithParent: boolean;
}

/** Runs the control plane to the end; the exit code. */
export function controlRole(_options: ControlOptions): Promise<number> {
  return Promise.resolve(exitCodes.failed);
}
