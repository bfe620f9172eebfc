// Documentation that stays true: links lead somewhere, and every resource that a page shows is valid.

import { dirname, join, normalize } from "node:path/posix";

import { KindRegistry, validateAll, type Kind, type ResourceLookup } from "@ripstop/resources";

import type { SourceFile } from "./lib/tree.ts";

/** A fenced block of code. */
export interface CodeBlock {
  /** What follows the fence: "yaml", "yaml fragment". */
  readonly info: string;
  readonly text: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
}

const NO_RESOURCES: ResourceLookup = { get: () => undefined, list: () => [] };

/**
 * Links of `page` that lead nowhere. `exists` tells whether a file or folder is there, `pageAt` reads another page.
 * Links to other sites are not followed.
 */
export function checkLinks(
  page: SourceFile,
  exists: (path: string) => boolean,
  pageAt: (path: string) => SourceFile | undefined,
): string[] {
  const problems: string[] = [];
  for (const { target, line } of linksOf(page.text)) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target) || target.startsWith("//")) continue;
    const [file = "", anchor] = target.split("#", 2);
    const path = file === "" ? page.path : normalize(join(dirname(page.path), decodeURI(file))).replace(/\/$/, "");
    if (!exists(path)) {
      problems.push(`${page.path}:${line}: links to ${target}, but ${path} is not there`);
      continue;
    }
    if (anchor === undefined || !path.endsWith(".md")) continue;
    const other = path === page.path ? page : pageAt(path);
    if (other !== undefined && !anchorsOf(other.text).has(anchor)) {
      problems.push(`${page.path}:${line}: links to ${target}, but ${path} has no heading #${anchor}`);
    }
  }
  return problems;
}

/**
 * Resources in `yaml` blocks that validation refuses. Blocks of files that are no resource, or of parts of one, are
 * marked `yaml fragment` and passed over.
 */
export function checkResources(
  page: SourceFile,
  kinds: readonly Kind[],
): { readonly problems: string[]; readonly seen: number } {
  const blocks = codeBlocksOf(page.text).filter(({ info }) => info === "yaml");
  const problems = blocks.flatMap(({ text, line }) => checkResourceText({ path: page.path, text }, kinds, line));
  return { problems, seen: blocks.length };
}

/** What validation refuses of a text of resources; its first line is `firstLine` of the file. */
export function checkResourceText({ path, text }: SourceFile, kinds: readonly Kind[], firstLine: number = 1): string[] {
  const context = { kinds: new KindRegistry(kinds), current: NO_RESOURCES };
  return validateAll([{ file: path, text }], context).violations.map(
    (violation) =>
      `${path}:${firstLine + (violation.source?.line ?? 1) - 1}: ${violation.path} — ${violation.message}. ${violation.remedy}`,
  );
}

/** The fenced code blocks of a Markdown text. */
export function codeBlocksOf(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open:
    | { readonly fence: string; readonly info: string; readonly line: number; readonly lines: string[] }
    | undefined;
  for (const [at, line] of text.split("\n").entries()) {
    const fence = /^ *(`{3,}|~{3,})(.*)$/.exec(line);
    if (open === undefined) {
      if (fence?.[1] !== undefined) open = { fence: fence[1], info: (fence[2] ?? "").trim(), line: at + 2, lines: [] };
    } else if (fence?.[1]?.startsWith(open.fence) === true && fence[2]?.trim() === "") {
      blocks.push({ info: open.info, text: `${open.lines.join("\n")}\n`, line: open.line });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  return blocks;
}

/** Text with code blocks and inline code blanked, line for line. */
function prose(text: string): string {
  let fence = "";
  return text
    .split("\n")
    .map((line) => {
      const mark = /^ *(`{3,}|~{3,})/.exec(line)?.[1];
      if (fence === "" && mark !== undefined) {
        fence = mark;
        return "";
      }
      if (fence !== "") {
        if (mark?.startsWith(fence) === true) fence = "";
        return "";
      }
      return line.replace(/`[^`]*`/g, "");
    })
    .join("\n");
}

function linksOf(text: string): { readonly target: string; readonly line: number }[] {
  return prose(text)
    .split("\n")
    .flatMap((line, at) =>
      [...line.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"/g)].map((found) => ({
        target: found[1] ?? found[2] ?? found[3] ?? "",
        line: at + 1,
      })),
    );
}

/** Anchors of the headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const headings = text.split("\n").filter((line) => /^#{1,6} /.test(line));
  for (const heading of headings) {
    const base = heading
      .replace(/^#+ /, "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    let anchor = base;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}
