// Brings up a mesh on this machine.

import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption } from "../../options.ts";

/** Options of `ripstop up`. */
export interface UpOptions extends HomeOption {
  readonly shop?: string | true;
  readonly dashboardPort?: number;
}

/** Runs until a signal; the exit code. */
export function up(_options: UpOptions): Promise<number> {
  return Promise.resolve(exitCodes.failed);
}
