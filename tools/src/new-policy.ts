// Program: npm run new:policy -- NAME. Makes the folder of a new policy and puts it into the registries.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { filesBelow, read, root } from "./lib/tree.ts";
import { nameProblem, newPolicyFiles, type Neighbours } from "./new-policy-files.ts";

const SOURCES = "packages/policies/src";

function numbersIn(pattern: RegExp, file: string): number[] {
  return filesBelow(SOURCES, (path) => path.endsWith(`/${file}`) && !path.includes("/example/")).flatMap((path) =>
    [...read(path).text.matchAll(pattern)].map((found) => Number(found[1]?.replaceAll("_", ""))),
  );
}

function neighbours(): Neighbours {
  const names = filesBelow(SOURCES, (path) => path.endsWith("/index.ts")).map((path) => path.split("/").at(-2) ?? "");
  return { names, orders: numbersIn(/order: ([0-9_]+)/g, "filter.ts"), codes: numbersIn(/"RS(\d{4})"/g, "errors.ts") };
}

const [name = ""] = process.argv.slice(2);
const known = neighbours();
const problem = nameProblem(name, known);
if (problem === undefined) {
  const example = filesBelow(`${SOURCES}/example`, () => true).map((path) => read(path));
  for (const { path, text } of newPolicyFiles(name, example, known)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
  const generate = join(root, "tools/dist/generate.js");
  spawnSync(process.execPath, [generate, "protos", "policies"], { stdio: "inherit" });
  process.stdout.write(
    `\nNext: change schema.ts, config.proto, compile.ts and filter.ts, then run\n` +
      `  npm run generate\n  UPDATE_GOLDEN=1 npm test -- --unit policies/dist/${name}\n`,
  );
} else {
  process.stderr.write(`${problem}\nUsage: npm run new:policy -- NAME\n`);
  process.exitCode = 1;
}
