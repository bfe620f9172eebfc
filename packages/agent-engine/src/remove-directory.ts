// Removes a state directory.

import { rmSync } from "node:fs";

/** Removes `path` with all that is in it; a file that cannot be removed is left to the next sweep. */
export function removeDirectory(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // The next run or `ripstop up` sweeps it.
  }
}
