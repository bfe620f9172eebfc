// Program: every generated file is as its generator would write it now.

import { compare } from "./generate/generated.ts";
import { generators } from "./generate/index.ts";
import { conclude } from "./lib/verdict.ts";

const problems: string[] = [];
let seen = 0;
for (const [name, generate] of Object.entries(generators)) {
  const generated = await generate();
  problems.push(...compare(generated));
  if (generated.files.length === 0) problems.push(`${name}: generates nothing; it looks in the wrong place`);
  seen += generated.files.length;
}
conclude({ problems, seen, noun: "generated files" });
