// Files that a reader sees whole, old or new, never half written.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";

/** Writes `text` to `path` (mode 0600) beside it, makes it durable, and puts it in place by rename. Throws as node:fs does. */
export function writeFileAtomically(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
