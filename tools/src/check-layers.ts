// Program: import direction, clock use, the two sides of policies, and project references. The table is layers.ts.

import { checkLayers } from "./layer-check.ts";
import { layers } from "./layers.ts";
import { read, typescriptSources } from "./lib/tree.ts";
import { conclude } from "./lib/verdict.ts";
import { checkReferences } from "./reference-check.ts";

const sources = typescriptSources();
const problems = checkLayers(sources);
for (const name of Object.keys(layers)) {
  const folder = `packages/${name}`;
  problems.push(
    ...checkReferences({ manifest: read(`${folder}/package.json`), tsconfig: read(`${folder}/tsconfig.json`) }),
  );
}
conclude({ problems, seen: sources.length, noun: "source files" });
