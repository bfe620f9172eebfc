// npm run generate: writes every generated file, or those that are named (protos, policies, http-rules, errors).
// Messages and registries come first, because the rest does not compile without them; the error reference is read from
// the build.
import { join } from "node:path";
import { ensureInstalled, requireNode, root, run } from "./lib/setup.mjs";

requireNode();
await ensureInstalled();
const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-b"];
const generate = join(root, "tools/dist/generate.js");
const wanted = process.argv.slice(2);
const early = ["protos", "policies", "http-rules"].filter((name) => wanted.length === 0 || wanted.includes(name));
let code = 0;
await run(process.execPath, [...tsc, "tools"]);
if (early.length > 0) code = await run(process.execPath, [generate, ...early]);
if (code === 0 && (wanted.length === 0 || wanted.includes("errors"))) {
  code = (await run(process.execPath, tsc)) || (await run(process.execPath, [generate, "errors"]));
}
process.exit(code);
