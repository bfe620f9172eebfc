// The API's description in OpenAPI, from the catalogue of operations and the kinds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Kind } from "@ripstop/resources";

import { root } from "../lib/tree.ts";
import type { Generated } from "./generated.ts";

const REFERENCE = "docs/reference/openapi.json";

/** Reads the compiled control engine. The tree must be built. */
export async function generateOpenApi(): Promise<Generated> {
  const compiled = join(root, "packages/control-engine/dist/index.js");
  const { allKinds, openApiDocument } = (await import(pathToFileURL(compiled).href)) as {
    readonly allKinds: readonly Kind[];
    readonly openApiDocument: (kinds: readonly Kind[], version: string) => unknown;
  };
  const { version } = JSON.parse(readFileSync(join(root, "apps/ripstop/package.json"), "utf8")) as {
    readonly version: string;
  };
  const text = `${JSON.stringify(openApiDocument(allKinds, version), undefined, 2)}\n`;
  return { files: [{ path: REFERENCE, text }], stale: [], problems: [] };
}
