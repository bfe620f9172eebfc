// The checkout's top folder.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
