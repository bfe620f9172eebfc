// Set-up on a fresh machine: the right Node, the dependencies, the build. Plain JavaScript, because it runs before
// anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

const OLDEST = [20, 19];

/** Ends the process with one clear sentence when this Node is too old. */
export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  process.stderr.write(
    `Ripstop needs Node ${OLDEST.join(".")} or newer; this is Node ${process.versions.node}. Install a current Node and run the same command again.\n`,
  );
  process.exit(1);
}

/** Runs a program, output passed through; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    child.on("error", (error) => {
      process.stderr.write(`cannot run ${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}

/** Runs a step quietly, with a progress line and its time; shows its output and ends the process when it fails. */
export async function step(title, command, args) {
  const started = performance.now();
  const out = process.stderr;
  out.write(`  ${title} …`);
  const chunks = [];
  const code = await new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const beat = setInterval(() => out.write("."), 2000);
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      clearInterval(beat);
      resolve(127);
    });
    child.on("close", (exit) => {
      clearInterval(beat);
      resolve(exit ?? 1);
    });
  });
  if (code === 0) {
    out.write(` ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
    return;
  }
  out.write(" failed\n");
  out.write(Buffer.concat(chunks));
  out.write(`"${command} ${args.join(" ")}" failed with exit code ${code}.\n`);
  process.exit(1);
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

/** Installs the dependencies unless the lock file's own are there. */
export async function ensureInstalled() {
  const stamp = join(root, "node_modules", ".ripstop-installed");
  const wanted = lockHash();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  if (spawnSync(npm, ["--version"], { stdio: "ignore" }).status !== 0) {
    process.stderr.write("npm was not found: install it together with Node and run the same command again.\n");
    process.exit(1);
  }
  await step("installing dependencies", npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

/** Compiles and bundles what changed. */
export async function ensureBuilt() {
  await step("building", process.execPath, [join(root, "tools/bin/build.mjs")]);
}

/** All of the above. */
export async function setUp() {
  requireNode();
  await ensureInstalled();
  await ensureBuilt();
}
