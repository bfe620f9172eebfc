// Proves that the tests guard what they claim to guard: takes one enforcement out at a time, in a copy of the build, and
// demands that a test fails. A test suite that stays green without peer verification is worth nothing.

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { enforcements, type Enforcement } from "./enforcements.ts";
import { bodyOf } from "./function-body.ts";
import { root } from "./root.ts";

/** A copy of the build in which files may be changed: packages with their dist, and links to everything installed. */
function copyBuild(): string {
  const copy = mkdtempSync(join(tmpdir(), "ripstop-enforcement-"));
  for (const name of readdirSync(join(root, "packages"))) {
    const from = join(root, "packages", name);
    if (!existsSync(join(from, "package.json"))) continue;
    mkdirSync(join(copy, "packages", name), { recursive: true });
    for (const part of ["package.json", "dist", "testdata", "src"]) {
      if (existsSync(join(from, part)))
        cpSync(join(from, part), join(copy, "packages", name, part), { recursive: true });
    }
  }
  mkdirSync(join(copy, "node_modules", "@ripstop"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name === "@ripstop" || name.startsWith(".")) continue;
    symlinkSync(realpathSync(join(root, "node_modules", name)), join(copy, "node_modules", name));
  }
  for (const name of readdirSync(join(copy, "packages")))
    symlinkSync(join("../../packages", name), join(copy, "node_modules", "@ripstop", name));
  return copy;
}

/** Longest that tests may take with everything in place. */
const INTACT_MS = 300_000;
/** Without an enforcement a test may wait for ever: it has failed after so many times what it takes otherwise, but not before a while. */
const PATIENCE = 4;
const LEAST_MS = 20_000;

/** Milliseconds that the enforcement's tests took to pass in the copy; undefined when they failed or took too long. */
function timeToPass(copy: string, enforcement: Enforcement, limitMs: number): number | undefined {
  const files = enforcement.tests.map((test) => join(copy, test));
  for (const file of files) if (!existsSync(file)) throw new Error(`no such test: ${file}`);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, ["--test", ...files], {
    cwd: copy,
    stdio: "ignore",
    timeout: limitMs,
  });
  return status === 0 ? performance.now() - started : undefined;
}

// check-enforcement [WORD]: only enforcements whose description holds the word.
const onlyWord = process.argv[2] ?? "";
const wanted = enforcements.filter(({ what }) => what.includes(onlyWord));
const copy = copyBuild();
const intact = new Map<string, number | undefined>();
let failures = 0;
try {
  for (const enforcement of wanted) {
    const file = join(copy, enforcement.file);
    const text = readFileSync(file, "utf8");
    // Tests that fail anyway prove nothing; several enforcements share their tests.
    const key = enforcement.tests.join();
    if (!intact.has(key)) intact.set(key, timeToPass(copy, enforcement, INTACT_MS));
    const usualMs = intact.get(key);
    if (usualMs === undefined) {
      process.stdout.write(`FAIL ${enforcement.what}: its tests fail even with it in place\n`);
      failures++;
      continue;
    }
    const { start, end } = bodyOf(file, text, enforcement.function);
    writeFileSync(file, `${text.slice(0, start)}{ ${enforcement.without} }${text.slice(end)}`);
    const limitMs = Math.ceil(Math.max(LEAST_MS, PATIENCE * usualMs));
    const caught = timeToPass(copy, enforcement, limitMs) === undefined;
    writeFileSync(file, text);
    process.stdout.write(
      `${caught ? "ok  " : "FAIL"} without ${enforcement.what} ${caught ? "a test fails" : "all tests still pass"}\n`,
    );
    if (!caught) failures++;
  }
} finally {
  rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}
if (wanted.length === 0) {
  process.stdout.write("no enforcement is listed: that is a failure\n");
  failures++;
}
process.stdout.write(`${wanted.length - failures} of ${wanted.length} enforcements are guarded by a test\n`);
process.exit(failures === 0 ? 0 : 1);
