// npm run new:policy -- NAME: makes the folder of a new policy. Builds the tools first; the packages may be broken.
import { join } from "node:path";
import { ensureInstalled, requireNode, root, run } from "./lib/setup.mjs";

requireNode();
await ensureInstalled();
await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "tools"]);
process.exit(await run(process.execPath, [join(root, "tools/dist/new-policy.js"), ...process.argv.slice(2)]));
