// The gate: everything that must hold at every commit. All checks run, so that one call shows all that is wrong.
//   npm run ok            --fix formats and regenerates first
//                         --no-tests leaves the unit tests to `npm test`, when that follows
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, requireNode, root } from "./lib/setup.mjs";

requireNode();
await ensureInstalled();
const fix = process.argv.includes("--fix");
const node = process.execPath;
const bin = (name) => join(root, "node_modules", ".bin", name);
const tool = (name) => [node, [join(root, "tools/dist", `${name}.js`)]];

function filesNamed(suffix) {
  const found = [];
  for (const group of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, group))) {
      const dist = join(root, group, name, "dist");
      if (!existsSync(dist)) continue;
      for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
        if (entry.isFile() && entry.name.endsWith(suffix)) found.push(join(entry.parentPath ?? entry.path, entry.name));
      }
    }
  }
  return found.sort();
}

let failed = 0;

/** Runs one check; its output is shown only when it fails. */
async function check(title, command, args, env = {}) {
  const started = performance.now();
  const chunks = [];
  const code = await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (error) => resolve((chunks.push(Buffer.from(String(error))), 127)));
    child.on("close", (exit) => resolve(exit ?? 1));
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const output = Buffer.concat(chunks).toString();
  const last = output.trim().split("\n").at(-1) ?? "";
  process.stdout.write(
    `${code === 0 ? "ok  " : "FAIL"} ${title} (${seconds} s)${code === 0 && last.length < 90 ? ` ${last}` : ""}\n`,
  );
  if (code !== 0) {
    failed++;
    process.stdout.write(`${output.replace(/^/gm, "     ")}\n`);
  }
  return code === 0;
}

if (fix) await check("format", bin("oxfmt"), ["."]);
if (!(await check("build", node, [join(root, "tools/bin/build.mjs")]))) process.exit(1);
if (fix) await check("generate", ...tool("generate"));
await check("format", bin("oxfmt"), ["--check", "."]);
await check("lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]);
await check("layers", ...tool("check-layers"));
await check("dead code", bin("knip"), ["--no-progress"]);
await check("generated files", ...tool("check-generated"));
await check("lock file", ...tool("check-lockfile"));
await check("docs", ...tool("check-docs"));
if (!process.argv.includes("--no-tests"))
  await check("unit tests", node, [join(root, "tools/bin/test.mjs"), "--no-setup", "--unit"]);
const fuzzers = filesNamed(".fuzz.js");
if (fuzzers.length === 0) {
  failed++;
  process.stdout.write("FAIL fuzz: no fuzzer was found\n");
}
for (const fuzzer of fuzzers)
  await check(`fuzz ${fuzzer.slice(root.length + 1)}`, node, ["--enable-source-maps", fuzzer], {
    RIPSTOP_FUZZ_SECONDS: process.env.RIPSTOP_FUZZ_SECONDS ?? "4",
  });
process.stdout.write(failed === 0 ? "the gate is open\n" : `${failed} checks failed\n`);
process.exit(failed === 0 ? 0 : 1);
