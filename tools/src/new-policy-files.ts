// What `npm run new:policy -- NAME` writes: the folder of the example policy under another name.

import type { SourceFile } from "./lib/tree.ts";

/** What the new folder needs to know about the others. */
export interface Neighbours {
  readonly names: readonly string[];
  /** FilterFactory.order of every policy. */
  readonly orders: readonly number[];
  /** Numbers of the codes in use, such as 1101. */
  readonly codes: readonly number[];
}

const EXAMPLE = "packages/policies/src/example/";
const FIRST_CODE = 1101;
const CODES_PER_POLICY = 10;

/** Why NAME cannot be a new policy's name, or undefined. */
export function nameProblem(name: string, { names }: Neighbours): string | undefined {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) return `"${name}" is not in kebab-case, such as rate-limit`;
  if (names.includes(name)) return `there is a policy ${name} already`;
  return undefined;
}

/** The files of the new policy. `example` are those of the example policy; generated and golden files are left out. */
export function newPolicyFiles(name: string, example: readonly SourceFile[], neighbours: Neighbours): SourceFile[] {
  const pascal = name.replace(/(^|-)([a-z0-9])/g, (_, _dash, letter: string) => letter.toUpperCase());
  const camelName = pascal.charAt(0).toLowerCase() + pascal.slice(1);
  const order = Math.floor(Math.max(0, ...neighbours.orders) / 100) * 100 + 100;
  const code = nextCode(neighbours.codes);
  const rename = (text: string): string =>
    text
      .replaceAll("Example", pascal)
      .replace(/\bexample(?=[A-Z])/g, camelName)
      .replaceAll("policies.example.v1", `policies.${name.replaceAll("-", "_")}.v1`)
      .replaceAll("example_refused", `${name.replaceAll("-", "_")}_refused`)
      .replace(/plural: "examples"/g, `plural: "${pascal.toLowerCase()}s"`)
      .replaceAll("example", name)
      .replaceAll("RS1299", `RS${code}`)
      .replaceAll("order: 10_000", `order: ${order}`);
  return example
    .filter(({ path }) => path.startsWith(EXAMPLE) && !/\.gen\.ts$|\.golden\.json$/.test(path))
    .map(({ path, text }) => ({
      path: `packages/policies/src/${name}/${rename(path.slice(EXAMPLE.length))}`,
      text: path.endsWith("README.md") ? newReadme(pascal, rename(text)) : rename(text),
    }));
}

/** Each policy has ten codes in a row. */
function nextCode(codes: readonly number[]): number {
  const used = codes.filter((code) => code < 1299);
  if (used.length === 0) return FIRST_CODE;
  const block = Math.floor((Math.max(...used) - FIRST_CODE) / CODES_PER_POLICY) + 1;
  return FIRST_CODE + block * CODES_PER_POLICY;
}

/** The user page: a heading, a sentence to replace, and one resource. */
function newReadme(title: string, text: string): string {
  const resource = /```yaml\n[\s\S]*?```\n/.exec(text)?.[0] ?? "";
  return `# ${title}\n\nSay in one sentence what it does, and for whom.\n\n${resource}`;
}
