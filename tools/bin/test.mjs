// Runs the tests and closes with "N passed, N failed, N skipped".
//   npm test                     set-up, unit tests, end-to-end tests
//   npm test -- --unit           unit tests only
//   npm test -- --e2e            end-to-end tests only
//   npm test -- WORD …           only test files whose path holds one of the words
//   --alone                      each file in a process of its own, to see whether unit tests disturb each other
//   --no-setup                   takes the build as it is
// With RIPSTOP_REQUIRE_ALL=1 a skipped test is a failure.
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run as runTests } from "node:test";
import { root, setUp } from "./lib/setup.mjs";
import { groupTests } from "./lib/test-groups.mjs";

const args = process.argv.slice(2);
const words = args.filter((arg) => !arg.startsWith("--"));
const only = (flag) => args.includes(flag);
if (!only("--no-setup")) await setUp();

function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => words.length === 0 || words.some((word) => relative(root, file).includes(word)))
    .sort();
}

/** Test files by package. */
const unit = ["packages", "apps"].flatMap((group) =>
  readdirSync(join(root, group)).map((name) => testFiles(join(root, group, name, "dist"))),
);
unit.push(testFiles(join(root, "tools/dist")), testFiles(join(root, "bench/dist")));
const endToEnd = testFiles(join(root, "test/dist"));

const groups = groupTests(unit);
process.on("exit", groups.remove);

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const skips = [];

function describeError(error) {
  const cause = error?.cause ?? error;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return typeof cause === "string" ? cause : JSON.stringify(cause);
}

/** A process that ends too early is named by the files that it ran. */
function describeFile(name) {
  const members = groups.filesOf(name).map((file) => relative(root, file));
  return members.length === 0 ? name : `a process that ran ${members.join(", ")}`;
}

/** Runs each file in a process of its own, `concurrency` at a time. */
function runFiles(files, concurrency, timeoutMs) {
  return new Promise((resolve) => {
    if (files.length === 0) return resolve();
    const stream = runTests({ files, concurrency, timeout: timeoutMs });
    const isFile = (data) => files.includes(data.name) || data.details?.type === "suite";
    stream.on("test:pass", (data) => {
      if (isFile(data)) return;
      if (data.skip !== undefined && data.skip !== false) {
        counts.skipped++;
        skips.push({ name: data.name, file: data.file, reason: data.skip === true ? "no reason given" : data.skip });
      } else counts.passed++;
    });
    stream.on("test:fail", (data) => {
      const cause = data.details?.error;
      if (data.details?.type === "suite" && /subtests? failed/.test(String(cause?.message))) return;
      if (
        files.includes(data.name) &&
        /subtests? failed|test failed/.test(String(cause?.message)) &&
        failures.some((f) => f.file === data.name || f.file === data.file)
      )
        return;
      counts.failed++;
      failures.push({ name: describeFile(data.name), file: data.file ?? data.name, error: describeError(cause) });
      process.stderr.write(`  FAILED ${data.name}\n`);
    });
    stream.on("test:stderr", (data) => process.stderr.write(data.message));
    stream.on("test:stdout", (data) => {
      if (process.env.RIPSTOP_TEST_OUTPUT) process.stdout.write(data.message);
    });
    stream.on("end", resolve);
    stream.resume();
  });
}

process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --enable-source-maps`.trim();
const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(0);
if (!only("--e2e")) {
  const files = unit.flat();
  process.stderr.write(`  unit tests: ${files.length} files\n`);
  await runFiles(only("--alone") ? files : groups.entries, availableParallelism(), groups.timeoutMs);
  process.stderr.write(`  ${counts.passed} passed after ${seconds()} s\n`);
}
if (!only("--unit")) {
  process.stderr.write(`  end-to-end tests: ${endToEnd.length} files\n`);
  await runFiles(endToEnd, 1, 600_000);
}

if (skips.length > 0) {
  process.stdout.write("\nSKIPPED\n");
  for (const { name, reason } of skips) process.stdout.write(`  ${name}\n    ${reason}\n`);
}
if (failures.length > 0) {
  process.stdout.write("\nFAILED\n");
  for (const { name, file, error } of failures)
    process.stdout.write(`\n  ${name}\n  ${relative(root, file)}\n${error.replace(/^/gm, "    ")}\n`);
}
if (counts.passed + counts.failed === 0) {
  process.stdout.write("no test ran: that is a failure\n");
  counts.failed++;
}
const strict = process.env.RIPSTOP_REQUIRE_ALL === "1" && counts.skipped > 0;
if (strict) process.stdout.write("\nRIPSTOP_REQUIRE_ALL=1: a skipped test counts as failed\n");
process.stdout.write(`\n${seconds()} s\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed > 0 || strict ? 1 : 0);
