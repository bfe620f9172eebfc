// What the HTTP rule tables (packages/NAME/rules.md) say: each rule of an RFC, and what shows that it is kept.
//
//   # RFC 9112: HTTP/1.1
//   ## 2.2 Message Parsing
//   - A bare CR is never read as the end of a line.
//     - case: fields.md › A bare CR in a value          a case of the package's testdata/
//     - test: src/client.test.ts › closes …             a test of the package; packages/… reaches another one
//     - reason: why there is neither
//     - decided: what is done in place of the rule, and why; a case or test shows it
//     - note: anything else that a reader should know

import { join, normalize } from "node:path/posix";

import type { SourceFile } from "../lib/tree.ts";

/** A case or test that shows a rule. */
export interface Proof {
  /** Path of the file that holds it. */
  readonly path: string;
  readonly title: string;
  readonly kind: "case" | "test";
}

/** One rule of one RFC. */
export interface Rule {
  /** Number of the RFC: "9112". */
  readonly rfc: string;
  /** "2.2". */
  readonly section: string;
  readonly text: string;
  readonly proofs: readonly Proof[];
  /** "" or why nothing shows the rule. */
  readonly reason: string;
  /** "" or what is done in place of the rule. */
  readonly decided: string;
  readonly note: string;
  /** "packages/http1/rules.md:12". */
  readonly place: string;
}

/** A section with its rules, in the order of the table. */
export interface RuleSection {
  readonly rfc: string;
  readonly section: string;
  readonly title: string;
  readonly rules: readonly Rule[];
}

/** One RFC of a table. */
export interface RuleChapter {
  readonly rfc: string;
  readonly title: string;
  readonly sections: readonly RuleSection[];
}

/** A table that was read. */
export interface RuleTable {
  readonly chapters: readonly RuleChapter[];
  readonly problems: readonly string[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type OpenRule = Writable<Omit<Rule, "proofs">> & { readonly proofs: Proof[] };
type OpenSection = Omit<RuleSection, "rules"> & { readonly rules: OpenRule[] };
type OpenChapter = Omit<RuleChapter, "sections"> & { readonly sections: OpenSection[] };

/** Reads a table. Lines before the first chapter are an introduction. */
export function parseRules(file: SourceFile): RuleTable {
  const folder = file.path.replace(/\/[^/]*$/, "");
  const chapters: OpenChapter[] = [];
  const problems: string[] = [];
  for (const [at, line] of file.text.split("\n").entries()) {
    const place = `${file.path}:${at + 1}`;
    const chapter = chapters.at(-1);
    const opens = /^# RFC (\d+): (.+)$/.exec(line);
    if (opens !== null) {
      chapters.push({ rfc: opens[1] ?? "", title: opens[2] ?? "", sections: [] });
      continue;
    }
    if (chapter === undefined || line.trim() === "") continue;
    const heading = /^## ([0-9A-Z.]+) (.+)$/.exec(line);
    const section = chapter.sections.at(-1);
    if (heading !== null) {
      chapter.sections.push({ rfc: chapter.rfc, section: heading[1] ?? "", title: heading[2] ?? "", rules: [] });
    } else if (section === undefined) {
      problems.push(`${place}: stands before the first section; write "## 2.2 Title" above it`);
    } else if (line.startsWith("- ")) {
      const { rfc, section: number } = section;
      const text = line.slice(2).trim();
      section.rules.push({ rfc, section: number, text, proofs: [], reason: "", decided: "", note: "", place });
    } else {
      const problem = addDetail(section.rules.at(-1), line, folder);
      if (problem !== "") problems.push(`${place}: ${problem}`);
    }
  }
  return { chapters, problems };
}

/** Adds an indented line to the rule above it; returns what is wrong with it. */
function addDetail(rule: OpenRule | undefined, line: string, folder: string): string {
  const detail = /^ {2}- (case|test|reason|decided|note): (.+)$/.exec(line);
  if (rule === undefined || detail === null)
    return "is neither a rule nor a detail of one; see the top of rule-tables.ts";
  const [, key = "", text = ""] = detail;
  if (key === "case" || key === "test") {
    const [file = "", title = ""] = text.split(" › ", 2);
    if (title === "") return `must read "${key}: FILE › TITLE"`;
    const path = file.startsWith("packages/") ? file : join(folder, key === "case" ? "testdata" : "", file);
    rule.proofs.push({ path: normalize(path), title, kind: key });
    return "";
  }
  if (key === "reason") rule.reason = text;
  else if (key === "decided") rule.decided = text;
  else rule.note = text;
  return "";
}

/** One Markdown case of a codec. */
export interface CodecCase {
  readonly path: string;
  readonly title: string;
  /** "RFC 9112 §2.2", or "" when the case names none. */
  readonly section: string;
}

/** The cases of a file of testdata. */
export function parseCases({ path, text }: SourceFile): CodecCase[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [title = "", ...rest] = part.split("\n");
      return { path, title: title.trim(), section: /^RFC \d+ §[0-9A-Z.]+/m.exec(rest.join("\n"))?.[0] ?? "" };
    });
}

/** Whether `source` has a test or a group of tests with this title. */
export function hasTest(source: string, title: string): boolean {
  return ['"', "`"].some((quote) =>
    ["it(", "test(", "describe("].some((call) => source.includes(`${call}${quote}${title}${quote}`)),
  );
}

/** Every rule of the chapters. */
export function rulesOf(chapters: readonly RuleChapter[]): Rule[] {
  return chapters.flatMap(({ sections }) => sections.flatMap(({ rules }) => rules));
}

/** One chapter for each RFC and one section for each number, in order: several packages keep the rules of RFC 9110. */
export function mergeChapters(chapters: readonly RuleChapter[]): RuleChapter[] {
  const merged = new Map<string, { readonly title: string; readonly sections: Map<string, RuleSection> }>();
  for (const { rfc, title, sections } of chapters) {
    const chapter = merged.get(rfc) ?? { title, sections: new Map<string, RuleSection>() };
    merged.set(rfc, chapter);
    for (const section of sections) {
      const earlier = chapter.sections.get(section.section);
      const rules = [...(earlier?.rules ?? []), ...section.rules];
      chapter.sections.set(section.section, { ...section, title: earlier?.title ?? section.title, rules });
    }
  }
  return [...merged]
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([rfc, { title, sections }]) => ({
      rfc,
      title,
      sections: [...sections.values()].toSorted((a, b) => compareNumbers(a.section, b.section)),
    }));
}

function compareNumbers(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
