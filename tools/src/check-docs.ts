// Program: links of all Markdown pages, and the resources that they show.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { policyResourceKinds } from "@ripstop/policies/control";
import { kind as exampleKind } from "@ripstop/policies/example";
import { coreKinds, identityKinds, meshKinds } from "@ripstop/resources";

import { checkLinks, checkResources, checkResourceText } from "./docs-check.ts";
import { filesBelow, read, root } from "./lib/tree.ts";
import { conclude } from "./lib/verdict.ts";

const kinds = [...coreKinds, ...identityKinds, ...meshKinds, ...policyResourceKinds, exampleKind];
const pages = filesBelow("", (path) => path.endsWith(".md") && !path.includes("/testdata/")).map((path) => read(path));
const exists = (path: string): boolean => existsSync(join(root, path));
const problems: string[] = [];
let resources = 0;
for (const page of pages) {
  problems.push(...checkLinks(page, exists, (path) => (exists(path) ? read(path) : undefined)));
  const shown = checkResources(page, kinds);
  problems.push(...shown.problems);
  resources += shown.seen;
}
for (const path of filesBelow("examples", (file) => /\.ya?ml$/.test(file))) {
  const file = read(path);
  if (!/^apiVersion:/m.test(file.text)) continue;
  problems.push(...checkResourceText(file, kinds));
  resources++;
}
if (resources === 0) problems.push("no page shows a resource: the checker looks in the wrong place");
conclude({ problems, seen: pages.length, noun: `pages with ${resources} resources` });
