// Test files of one package that share a process: to start Node and to load what a package imports costs more than most
// files' tests. Each file is a suite of its own, so that its hooks are for its tests only, and files run one after another.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./setup.mjs";

const FILES_PER_PROCESS = 8;
const FILE_TIMEOUT_MS = 300_000;

/** What a file may not do to its neighbours, or what they would disturb: it has a process of its own. */
const NEEDS_OWN_PROCESS =
  /process\.(memoryUsage|resourceUsage|cpuUsage|chdir|umask|env\[[^\]]*\] =)|delete process\.env/;

/**
 * Writes one entry for every group of the packages' files into a temporary folder.
 * Returns `entries`, which `node:test` can run as files; `timeoutMs`, which is enough for one; `filesOf`, which says what
 * an entry runs; `remove`.
 */
export function groupTests(packages) {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-tests-"));
  const groups = new Map();
  packages.forEach((files, at) => {
    const alone = files.filter((file) => NEEDS_OWN_PROCESS.test(readFileSync(file, "utf8")));
    for (const file of alone) groups.set(file, [file]);
    const together = files.filter((file) => !alone.includes(file));
    const count = Math.ceil(together.length / FILES_PER_PROCESS);
    for (let group = 0; group < count; group++) {
      // Neighbours in a folder are often slow together: they go to different groups.
      const members = together.filter((_file, index) => index % count === group);
      const lines = members.map(
        (file) =>
          `describe(${JSON.stringify(relative(root, file))}, { timeout: ${FILE_TIMEOUT_MS} }, async () => { await import(${JSON.stringify(pathToFileURL(file).href)}); });\n`,
      );
      const entry = join(folder, `package-${at}-group-${group}.test.mjs`);
      writeFileSync(entry, `import { describe } from "node:test";\n${lines.join("")}`);
      groups.set(entry, members);
    }
  });
  return {
    entries: [...groups.keys()],
    timeoutMs: FILES_PER_PROCESS * FILE_TIMEOUT_MS,
    filesOf: (entry) => groups.get(entry) ?? [],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
