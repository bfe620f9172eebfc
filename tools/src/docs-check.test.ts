// The documentation check.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { coreKinds } from "@ripstop/resources";

import { checkLinks, checkResources, codeBlocksOf } from "./docs-check.ts";

const fence = "```";
const page = (text: string): { path: string; text: string } => ({ path: "docs/a.md", text });

describe("checkLinks", () => {
  const files = new Map([
    ["docs/b.md", "# Some `code`, and more\n## Twice\n## Twice\n"],
    ["README.md", ""],
  ]);
  const problems = (text: string): string[] =>
    checkLinks(
      page(text),
      (path) => files.has(path) || path === "docs/a.md" || path === "docs",
      (path) => ({ path, text: files.get(path) ?? "" }),
    );

  it("follows links to files, folders and headings", () => {
    assert.deepEqual(
      problems("# Top\n[a](b.md) [b](../README.md) [c](./) [d](#top) [e](b.md#some-code-and-more) [f](b.md#twice-1)"),
      [],
    );
  });

  it("reports what is not there, with the line", () => {
    assert.deepEqual(problems("\n[a](c.md)"), ["docs/a.md:2: links to c.md, but docs/c.md is not there"]);
    assert.match(problems("[a](b.md#nowhere)")[0] ?? "", /has no heading #nowhere/);
    assert.match(problems("![p](p.png)")[0] ?? "", /docs\/p\.png is not there/);
    assert.match(problems("[ref]: gone.md")[0] ?? "", /docs\/gone\.md/);
  });

  it("passes over other sites and code", () => {
    assert.deepEqual(
      problems(`[a](https://example.com/x) [b](mailto:a@b) \`[c](gone.md)\`\n${fence}\n[d](gone.md)\n${fence}\n`),
      [],
    );
  });
});

describe("checkResources", () => {
  it("validates every yaml block, and none that is marked as a fragment", () => {
    const good = `${fence}yaml\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n${fence}\n`;
    const fragment = `${fence}yaml fragment\nspec: 1\n${fence}\n`;
    assert.deepEqual(checkResources(page(good + fragment), coreKinds), { problems: [], seen: 1 });
  });

  it("reports a violation at its line of the page", () => {
    const { problems } = checkResources(
      page(`# Title\n\n${fence}yaml\napiVersion: v1\nkind: Namespac\nmetadata: {name: shop}\n${fence}\n`),
      coreKinds,
    );
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^docs\/a\.md:5: kind — /);
  });
});

describe("codeBlocksOf", () => {
  it("knows longer fences and indented ones", () => {
    assert.deepEqual(
      codeBlocksOf(`${fence}\`md\n${fence}yaml\na\n${fence}\n${fence}\`\n  ${fence}sh\nb\n  ${fence}\n`),
      [
        { info: "md", text: `${fence}yaml\na\n${fence}\n`, line: 2 },
        { info: "sh", text: "b\n", line: 7 },
      ],
    );
  });
});
