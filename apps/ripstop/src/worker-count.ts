// How many processes a proxy has, as the command line says it.

import { availableParallelism } from "node:os";
import { MAX_WORKERS } from "@ripstop/model";

/** What `workerCount` understands, in words. */
export const workerCountHint: string = `a whole number from 1 to ${MAX_WORKERS}, or "auto" for one a processor core`;

/** The number in `text`; "auto" is the number of processor cores. Undefined when it is neither. */
export function workerCount(text: string): number | undefined {
  if (text === "auto") return Math.min(availableParallelism(), MAX_WORKERS);
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= MAX_WORKERS ? value : undefined;
}
