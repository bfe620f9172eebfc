// npm run generate: writes every generated file, or those that are named. Messages and registries come first, because the
// rest does not compile without them; the references are read from the build.
import { join } from "node:path";
import { ensureInstalled, requireNode, root, run } from "./lib/setup.mjs";

requireNode();
await ensureInstalled();
const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-b"];
const generate = join(root, "tools/dist/generate.js");
const wanted = process.argv.slice(2);
const early = ["protos", "gateway-schemas", "policies", "http-rules", "conformance", "answer-types"].filter(
  (name) => wanted.length === 0 || wanted.includes(name),
);
let code = 0;
await run(process.execPath, [...tsc, "tools"]);
if (early.length > 0) code = await run(process.execPath, [generate, ...early]);
const late = ["http-rules", "gateway-differences", "hostile", "errors", "metrics", "cli", "openapi"].filter(
  (name) => wanted.length === 0 || wanted.includes(name),
);
if (code === 0 && late.length > 0) {
  code = (await run(process.execPath, tsc)) || (await run(process.execPath, [generate, ...late]));
}
process.exit(code);
