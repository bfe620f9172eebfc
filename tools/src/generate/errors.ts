// The error reference, from every errors.ts of the project, and the rules that its entries keep.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { ErrorKind } from "@ripstop/core";

import { filesBelow, root, typescriptSources, type SourceFile } from "../lib/tree.ts";
import { errorRanges } from "./error-ranges.ts";
import type { Generated } from "./generated.ts";

/** One error kind and where it is defined. */
export interface DefinedError {
  /** Path of the errors.ts. */
  readonly file: string;
  /** Name of the export. */
  readonly exportName: string;
  readonly kind: ErrorKind;
}

const REFERENCE = "docs/reference/errors.md";

const GRPC_STATUS: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Reads every compiled errors.ts and generates the reference. The tree must be built. */
export async function generateErrors(): Promise<Generated> {
  const defined: DefinedError[] = [];
  const problems: string[] = [];
  for (const file of errorFiles()) {
    const compiled = join(root, file.replace("/src/", "/dist/").replace(/\.ts$/, ".js"));
    if (!existsSync(compiled)) {
      problems.push(`${file}: is not compiled; run npm run build first`);
      continue;
    }
    const exports: unknown = await import(pathToFileURL(compiled).href);
    defined.push(...errorsIn(file, exports as Readonly<Record<string, unknown>>));
  }
  const sources = typescriptSources().filter(({ path }) => /^(packages|apps)\//.test(path));
  problems.push(...checkErrors(defined, sources));
  const files = [{ path: REFERENCE, text: renderReference(defined) }];
  return { files, stale: [], problems };
}

/** Every kind that a file exports, by itself or in a record or list, each once. */
export function errorsIn(file: string, exports: Readonly<Record<string, unknown>>): DefinedError[] {
  const entries = Object.entries(exports);
  const nested = entries.flatMap(([, value]) =>
    typeof value === "object" && value !== null && !isErrorKind(value) ? Object.entries(value) : [],
  );
  const found = new Map<ErrorKind, DefinedError>();
  for (const [exportName, kind] of [...entries, ...nested]) {
    if (isErrorKind(kind) && !found.has(kind)) found.set(kind, { file, exportName, kind });
  }
  return [...found.values()];
}

/** The example policy is no part of a mesh, and its code stands for one yet to be chosen. */
function errorFiles(): string[] {
  return ["packages", "apps"]
    .flatMap((folder) => filesBelow(folder, (path) => /\/src\/(.*\/)?errors\.ts$/.test(path)))
    .filter((path) => !path.startsWith("packages/policies/src/example/"));
}

/** What is wrong with the catalogue: codes used twice or outside their range, names used twice in a package, entries without text, kinds never used. */
export function checkErrors(defined: readonly DefinedError[], sources: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  const byCode = new Map<string, DefinedError>();
  const byName = new Map<string, DefinedError>();
  if (defined.length === 0) problems.push("no error kind was found: the generator looks in the wrong place");
  for (const error of defined) {
    const { file, kind, exportName } = error;
    const place = `${file}: ${kind.code}`;
    const sameCode = byCode.get(kind.code);
    if (sameCode !== undefined) problems.push(`${place} is used by ${sameCode.file} too; take the next free code`);
    byCode.set(kind.code, error);
    const owner = file.split("/").slice(0, 2).join("/");
    const sameName = byName.get(`${owner} ${kind.name}`);
    if (sameName !== undefined)
      problems.push(`${place} is named ${kind.name} like ${sameName.kind.code}; choose another name`);
    byName.set(`${owner} ${kind.name}`, error);
    const range = errorRanges.find(({ owner }) => file.startsWith(`${owner}/`));
    const number = Number(kind.code.slice(2));
    if (range === undefined)
      problems.push(`${place} has no range; add its package to tools/src/generate/error-ranges.ts`);
    else if (number < range.first || number > range.last) {
      problems.push(`${place} is outside RS${range.first} to RS${range.last}, the codes of ${range.owner}`);
    }
    if (!/^[a-z][a-z0-9_]*$/.test(kind.name))
      problems.push(`${place} has the name ${kind.name}; write it in snake_case`);
    for (const field of ["title", "cause", "remedy"] as const) {
      if (kind[field].trim() === "") problems.push(`${place} has no ${field}; say it in one plain sentence`);
    }
    if (!isUsed(error, sources)) problems.push(`${place} (${exportName}) is never used; remove it or use it`);
  }
  return problems;
}

function isUsed({ file, exportName }: DefinedError, sources: readonly SourceFile[]): boolean {
  const word = new RegExp(`\\b${exportName}\\b`);
  return sources.some(
    ({ path, text }) =>
      path !== file &&
      !/\.(test|suite|testing|fuzz)\.tsx?$|\/testing\//.test(path) &&
      !path.endsWith("/index.ts") &&
      word.test(text),
  );
}

/** The Markdown page, in order of codes, in sections by owner. */
export function renderReference(defined: readonly DefinedError[]): string {
  const lines = [
    "# Errors",
    "",
    "Generated from every `errors.ts` by `npm run generate`. Codes are stable and never reused.",
    "Proxies name the code in the header `x-ripstop-error` and in the body of the answer.",
  ];
  for (const { owner, title } of errorRanges) {
    const own = defined.filter(({ file }) => file.startsWith(`${owner}/`));
    if (own.length === 0) continue;
    lines.push("", `## ${title}`);
    for (const { kind } of own.toSorted((a, b) => (a.kind.code < b.kind.code ? -1 : 1))) {
      lines.push("", `### ${kind.code} ${kind.name}`, "", `${kind.title}.`, "");
      lines.push(`- **Cause:** ${kind.cause}`, `- **Remedy:** ${kind.remedy}`);
      if (kind.status >= 100)
        lines.push(`- **Answered with:** HTTP ${kind.status}, gRPC ${GRPC_STATUS[kind.grpcStatus] ?? kind.grpcStatus}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function isErrorKind(value: unknown): value is ErrorKind {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    "remedy" in value &&
    /^RS\d{4}$/.test(String(value.code))
  );
}
