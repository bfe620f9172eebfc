// npm packs only what lies in the package's own folder: licence and readme are copied there while it packs.
//   pack-files.mjs copy | remove
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/setup.mjs";

for (const name of ["LICENSE", "README.md"]) {
  const there = join(root, "apps/ripstop", name);
  if (process.argv[2] === "copy") cpSync(join(root, name), there);
  else rmSync(there, { force: true });
}
