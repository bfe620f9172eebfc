// The page of HTTP rules, from the rule tables beside the codecs and the engine, and the checks that leave no hole:
// every rule is shown by a case or test that exists, or says why not; every case belongs to a rule's section.

import { filesBelow, read } from "../lib/tree.ts";
import type { Generated } from "./generated.ts";
import { mustSections, sectionsLeftOut } from "./must-sections.ts";
import {
  hasTest,
  mergeChapters,
  parseCases,
  parseRules,
  rulesOf,
  type CodecCase,
  type Proof,
  type Rule,
  type RuleChapter,
} from "./rule-tables.ts";

const PAGE = "docs/reference/http-rules.md";
const TABLE = /^packages\/[^/]+\/rules\.md$/;
/** Cases of the RFCs of HTTP; other packages have cases of other documents. */
const CASES = /^packages\/http[^/]*\/testdata\/(?!README)[^/]+\.md$/;

/** Reads tables, cases and named tests and generates the page. */
export function generateHttpRules(): Generated {
  const tables = filesBelow("packages", (path) => TABLE.test(path)).map((path) => parseRules(read(path)));
  const chapters = mergeChapters(tables.flatMap((table) => table.chapters));
  const cases = filesBelow("packages", (path) => CASES.test(path)).flatMap((path) => parseCases(read(path)));
  const problems = [
    ...tables.flatMap((table) => table.problems),
    ...checkRules(chapters, cases, readIfThere),
    ...checkSections(chapters, mustSections),
  ];
  if (tables.length === 0) problems.push("no packages/*/rules.md was found: the generator looks in the wrong place");
  return { files: [{ path: PAGE, text: renderRules(chapters, cases) }], stale: [], problems };
}

function readIfThere(path: string): string | undefined {
  return filesBelow(path.replace(/\/[^/]*$/, ""), (found) => found === path).length === 0 ? undefined : read(path).text;
}

/** What is wrong: holes, and names of cases and tests that are not there. `source` reads a file of tests. */
export function checkRules(
  chapters: readonly RuleChapter[],
  cases: readonly CodecCase[],
  source: (path: string) => string | undefined,
): string[] {
  const problems: string[] = [];
  const rules = rulesOf(chapters);
  const sources = new Map<string, string | undefined>();
  const exists = ({ path, title, kind }: Proof): boolean => {
    if (kind === "case") return cases.some((one) => one.path === path && one.title === title);
    if (!sources.has(path)) sources.set(path, source(path));
    return hasTest(sources.get(path) ?? "", title);
  };
  for (const rule of rules) {
    const { proofs, reason, decided, place } = rule;
    if (proofs.length === 0 && reason === "") problems.push(`${place}: has no case, no test and no reason; add one`);
    if (proofs.length > 0 && reason !== "") problems.push(`${place}: has a case and a reason for none; remove one`);
    if (proofs.length === 0 && decided !== "" && reason === "")
      problems.push(`${place}: says what was decided, but nothing shows it`);
    for (const proof of proofs) {
      if (!exists(proof))
        problems.push(`${place}: names ${proof.kind} "${proof.title}", which ${proof.path} does not hold`);
    }
  }
  const sections = new Set(rules.map(({ rfc, section }) => `RFC ${rfc} §${section}`));
  const tabled = new Set(chapters.map(({ rfc }) => rfc));
  const seen = new Set<string>();
  for (const { path, title, section } of cases) {
    if (seen.has(`${path} ${title}`)) problems.push(`${path}: has two cases with the title "${title}"; rename one`);
    seen.add(`${path} ${title}`);
    if (section === "")
      problems.push(`${path}: the case "${title}" names no section; write "RFC NNNN §N" below its title`);
    else if (tabled.has(rfcOf(section)) && !sections.has(section))
      problems.push(`${path}: the case "${title}" belongs to ${section}, of which no table has a rule`);
  }
  if (cases.length === 0) problems.push("no case was found: the generator looks in the wrong place");
  return problems;
}

/** Sections that say MUST and of which no table has a rule. */
export function checkSections(
  chapters: readonly RuleChapter[],
  wanted: Readonly<Record<string, readonly string[]>>,
): string[] {
  return Object.entries(wanted).flatMap(([rfc, numbers]) => {
    const sections = chapters.find((chapter) => chapter.rfc === rfc)?.sections ?? [];
    const tabled = new Set(sections.filter(({ rules }) => rules.length > 0).map(({ section }) => section));
    return numbers
      .filter((number) => !tabled.has(number))
      .map((number) => `RFC ${rfc} §${number} says MUST, and no table has a rule of it`);
  });
}

function rfcOf(section: string): string {
  return /^RFC (\d+)/.exec(section)?.[1] ?? "";
}

/** The Markdown page: what was decided otherwise, then every section with its rules. */
export function renderRules(chapters: readonly RuleChapter[], cases: readonly CodecCase[]): string {
  const rules = rulesOf(chapters);
  const named = new Set(rules.flatMap(({ proofs }) => proofs.map(keyOf)));
  const shown = rules.filter(({ proofs }) => proofs.length > 0).length;
  const lines = [
    "# HTTP rules and what shows them",
    "",
    "Generated by `npm run generate` from `packages/*/rules.md` and the cases beside the codecs. The tables list each",
    "MUST and MUST NOT that a proxy can break, in our own words, with the cases (bytes in, events or frames out) and",
    "tests that fail when it is broken. Rules for user agents, caches and origin servers that no proxy can break are",
    "left out.",
    "",
    `${rules.length} rules: ${shown} shown by ${named.size} cases and tests, ${rules.length - shown} with a reason why none can.`,
    ...renderDecisions(rules),
  ];
  for (const { rfc, title, sections } of chapters) {
    lines.push("", `## RFC ${rfc}: ${title}`);
    for (const section of sections) {
      lines.push("", `### RFC ${rfc} §${section.section} ${section.title}`, "", "| Rule | Shown by |", "|---|---|");
      for (const rule of section.rules) lines.push(`| ${cell(rule.text)} | ${proofText(rule)} |`);
      const more = cases.filter(
        (one) => one.section === `RFC ${rfc} §${section.section}` && !named.has(keyOf({ ...one, kind: "case" })),
      );
      if (more.length > 0) lines.push("", `More cases: ${more.map(link).join("; ")}.`);
    }
  }
  const tabled = new Set(chapters.map(({ rfc }) => rfc));
  const others = cases.filter(({ section }) => !tabled.has(rfcOf(section)));
  if (others.length > 0) {
    lines.push("", "## Cases of other documents", "");
    for (const section of [...new Set(others.map((one) => one.section))].toSorted()) {
      lines.push(
        `- ${section}: ${others
          .filter((one) => one.section === section)
          .map(link)
          .join("; ")}.`,
      );
    }
  }
  lines.push("", "## Sections without a rule", "", "They say MUST too, but not of anything that a proxy does.", "");
  for (const { rfc, section, why } of sectionsLeftOut) lines.push(`- RFC ${rfc} §${section}: ${why}`);
  return `${lines.join("\n")}\n`;
}

function renderDecisions(rules: readonly Rule[]): string[] {
  const decided = rules.filter((rule) => rule.decided !== "");
  if (decided.length === 0) return [];
  const lines = ["", "## Decided otherwise", "", "| Rule | What Ripstop does |", "|---|---|"];
  for (const { rfc, section, text, decided: what } of decided) {
    lines.push(`| RFC ${rfc} §${section}: ${cell(text)} | ${cell(what)} |`);
  }
  return lines;
}

function proofText({ proofs, reason, decided, note }: Rule): string {
  const parts = [
    ...(proofs.length === 0 ? [] : [`${proofs.map(link).join("; ")}.`]),
    ...(decided === "" ? [] : [`**Decided otherwise:** ${decided}`]),
    ...(reason === "" ? [] : [`**No case:** ${reason}`]),
    ...(note === "" ? [] : [note]),
  ];
  return cell(parts.join(" "));
}

function link({ path, title }: { readonly path: string; readonly title: string }): string {
  return `[${title.replace(/([[\]])/g, "\\$1")}](../../${path})`;
}

function keyOf({ path, title }: Pick<Proof, "path" | "title" | "kind">): string {
  return `${path} ${title}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
