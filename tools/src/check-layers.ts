// Program: import direction, clock use and the two sides of policies. The table is layers.ts.

import { checkLayers } from "./layer-check.ts";
import { typescriptSources } from "./lib/tree.ts";
import { conclude } from "./lib/verdict.ts";

const sources = typescriptSources();
conclude({ problems: checkLayers(sources), seen: sources.length, noun: "source files" });
