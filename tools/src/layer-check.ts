// Import direction, clock use and the two sides of policies, checked on parsed sources (type-only imports count).

import { dirname, join, normalize } from "node:path/posix";

import { parseSync } from "oxc-parser";

import {
  clockCalls,
  CLOCK_FILE,
  controlSide,
  ENGINE_LAYER,
  layers,
  mayReadTime,
  mayUseImmediate,
  restrictedEntries,
  testPackages,
  TOP_LAYER,
} from "./layers.ts";
import type { SourceFile } from "./lib/tree.ts";

/** What is of interest in one source file. */
export interface FileFacts {
  readonly path: string;
  readonly imports: readonly Use[];
  /** Calls by name: "Date.now", "setTimeout". `new Date()` is "Date" when it has no argument. */
  readonly calls: readonly Use[];
  readonly parseErrors: readonly string[];
}

/** Something that a file names, and where. */
export interface Use {
  readonly name: string;
  /** From 1. */
  readonly line: number;
}

/** Tests, and what only tests import. */
const TEST_FILE = /\.(test|suite|fixture|testing|fuzz)\.tsx?$|\/src\/(.*\/)?testing\//;

/** Every problem of `sources`, as "PATH:LINE: what; what to do". */
export function checkLayers(sources: readonly SourceFile[]): string[] {
  const facts = sources.map((source) => readFacts(source));
  const byPath = new Map(facts.map((fact) => [fact.path, fact]));
  return facts.flatMap((fact) => [
    ...fact.parseErrors.map((message) => `${fact.path}: ${message}`),
    ...checkImports(fact),
    ...checkClock(fact),
    ...checkFilterSide(fact, byPath),
  ]);
}

/** Parses one file. */
export function readFacts({ path, text }: SourceFile): FileFacts {
  const { program, errors } = parseSync(path, text);
  const imports: Use[] = [];
  const calls: Use[] = [];
  const lineOf = lineCounter(text);
  walk(program, (node) => {
    const line = lineOf(typeof node["start"] === "number" ? node["start"] : 0);
    switch (node["type"]) {
      case "ImportDeclaration":
      case "ExportNamedDeclaration":
      case "ExportAllDeclaration":
      case "ImportExpression":
      case "TSImportType": {
        const source = node["source"] ?? node["argument"];
        if (isNode(source) && typeof source["value"] === "string") imports.push({ name: source["value"], line });
        break;
      }
      case "CallExpression": {
        const name = isNode(node["callee"]) ? nameOf(node["callee"]) : undefined;
        if (name !== undefined) calls.push({ name, line });
        break;
      }
      case "NewExpression": {
        const args = node["arguments"];
        const name = isNode(node["callee"]) ? nameOf(node["callee"]) : undefined;
        if (name === "Date" && Array.isArray(args) && args.length === 0) calls.push({ name, line });
        break;
      }
    }
  });
  return { path, imports, calls, parseErrors: errors.map(({ message }) => message) };
}

function checkImports({ path, imports }: FileFacts): string[] {
  const own = packageOf(path);
  const ownLayer = layers[own]?.layer ?? TOP_LAYER;
  const problems: string[] = [];
  const report = (line: number, message: string): void => void problems.push(`${path}:${line}: ${message}`);
  if (path.startsWith("packages/") && layers[own] === undefined) {
    report(1, `package ${own} is not in tools/src/layers.ts; give it a layer there`);
  }
  for (const { name, line } of imports) {
    if (name.startsWith(".")) {
      const target = normalize(join(dirname(path), name));
      if (packageOf(target) !== own || !target.includes("/src/")) {
        report(line, `imports ${name}, a file of another package; import the package by name`);
      } else if (
        TEST_FILE.test(target) &&
        !TEST_FILE.test(path) &&
        path.startsWith("packages/") &&
        !testPackages.has(own)
      ) {
        report(line, `imports ${name}, which is for tests; move what is needed into a file of its own`);
      }
      continue;
    }
    const other = /^@ripstop\/([^/]+)/.exec(name)?.[1];
    if (other === undefined) continue;
    if (testPackages.has(other)) {
      if (TEST_FILE.test(path) || /^(test|tools)\//.test(path) || own === other) continue;
      report(
        line,
        `imports ${name}, which is for tests; only *.test.ts, *.suite.ts, *.fixture.ts, *.fuzz.ts and testing/ may`,
      );
      continue;
    }
    const entry = layers[other];
    if (other === own) {
      report(line, `imports its own package by name; import the file`);
    } else if (entry === undefined) {
      if (path.startsWith("packages/"))
        report(line, `imports ${name}, which is no package; packages never import applications`);
    } else if (!mayImport(own, other, TEST_FILE.test(path))) {
      report(
        line,
        `${own} (layer ${ownLayer}) imports ${other} (layer ${entry.layer}); a package imports lower layers only: ` +
          "move what is needed down, or take it as a parameter",
      );
    }
    const restricted = restrictedEntries.find((candidate) => candidate.entry === name);
    if (restricted !== undefined && !restricted.importers.includes(own) && !TEST_FILE.test(path)) {
      report(line, `${own} imports ${name}, but ${restricted.reason}; only ${restricted.importers.join(", ")} may`);
    }
  }
  return problems;
}

/** Tests may use packages of their own layer too (not engines): what they wire up stands in no product. */
function mayImport(own: string, other: string, isTest: boolean): boolean {
  const from = layers[own]?.layer ?? TOP_LAYER;
  const to = layers[other]?.layer ?? TOP_LAYER;
  if (to < from || (layers[own]?.beside?.includes(other) ?? false)) return true;
  return isTest && to === from && to < ENGINE_LAYER;
}

function checkClock({ path, calls, imports }: FileFacts): string[] {
  if (path === CLOCK_FILE || mayReadTime.some((folder) => path.startsWith(folder))) return [];
  const problems: string[] = [];
  for (const { name, line } of calls) {
    const bare = name.replace(/^globalThis\./, "");
    const instead = Object.hasOwn(clockCalls, bare) ? clockCalls[bare] : undefined;
    if (instead !== undefined) problems.push(`${path}:${line}: calls ${name}; only ${CLOCK_FILE} may: ${instead}`);
    if (bare === "setImmediate" && !mayUseImmediate.has(packageOf(path)) && !TEST_FILE.test(path)) {
      problems.push(
        `${path}:${line}: calls setImmediate; only ${[...mayUseImmediate].join(", ")} may: use its flush scheduler`,
      );
    }
  }
  for (const { name, line } of imports) {
    if (!/^(node:)?timers(\/promises)?$/.test(name)) continue;
    problems.push(`${path}:${line}: imports ${name}; only ${CLOCK_FILE} sets timers: take a Clock`);
  }
  return problems;
}

/** A filter, and everything that it reaches in its package, stays off the control side. */
function checkFilterSide(start: FileFacts, byPath: ReadonlyMap<string, FileFacts>): string[] {
  if (!/^packages\/policies\/src\/([^/]+\/filter|proxy\.gen)\.ts$/.test(start.path)) return [];
  const problems: string[] = [];
  const reached = new Map<string, string>([[start.path, ""]]);
  const open = [start];
  for (let fact = open.pop(); fact !== undefined; fact = open.pop()) {
    const via = fact === start ? "" : ` (reached from ${start.path})`;
    for (const { name, line } of fact.imports) {
      const barred = controlSide.packages.find((entry) => name === entry || name.startsWith(`${entry}/`));
      const target = name.startsWith(".") ? normalize(join(dirname(fact.path), name)) : "";
      if (barred !== undefined || controlSide.files.test(target)) {
        problems.push(
          `${fact.path}:${line}: imports ${name}, which is control-side code${via}; a filter knows config.proto alone: ` +
            "compile what it needs into the config",
        );
        continue;
      }
      const next = byPath.get(target);
      if (next === undefined || reached.has(target)) continue;
      reached.set(target, fact.path);
      open.push(next);
    }
  }
  return problems;
}

/** "core" for "packages/core/src/clock.ts", "ripstop" for "apps/ripstop/…", "tools", "test". */
function packageOf(path: string): string {
  const [top = "", name = ""] = path.split("/");
  return top === "packages" || top === "apps" ? name : top;
}

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
  } else if (isNode(value)) {
    if (typeof value["type"] === "string") visit(value);
    for (const child of Object.values(value)) if (typeof child === "object") walk(child, visit);
  }
}

/** "a" or "a.b.c" of an identifier or a chain of plain members. */
function nameOf(node: Node): string | undefined {
  const { type, name, object, property, computed } = node;
  if (type === "Identifier") return typeof name === "string" ? name : undefined;
  if (type !== "MemberExpression" || computed === true || !isNode(object) || !isNode(property)) return undefined;
  const left = nameOf(object);
  const right = property["name"];
  return left === undefined || typeof right !== "string" ? undefined : `${left}.${right}`;
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
