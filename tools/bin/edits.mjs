// npm run edits: the long run of the compiler's random edits. After each of 5,000 edits the incremental result must equal a
// compile from scratch. `npm run edits -- COUNT SEED` repeats a run.
import { join } from "node:path";
import { root, run } from "./lib/setup.mjs";

const [edits = "5000", seed = "1"] = process.argv.slice(2);
if (![edits, seed].every((number) => /^\d{1,9}$/.test(number))) {
  console.error(
    "Usage: npm run edits -- [COUNT [SEED]], whole numbers: so many edits (5000) of the run with this seed (1)",
  );
  process.exit(process.argv.includes("--help") ? 0 : 2);
}
const code = await run(
  process.execPath,
  [
    "--test",
    "--enable-source-maps",
    "--test-name-pattern=random edits",
    join(root, "packages/control-engine/dist/compile/random-edits.test.js"),
  ],
  { env: { ...process.env, RIPSTOP_EDITS: edits, RIPSTOP_SEED: seed } },
);
process.exit(code);
