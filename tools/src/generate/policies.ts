// The policy registries: one import for each folder of packages/policies/src. Nothing else lists the policies.

import { filesBelow } from "../lib/tree.ts";
import type { Generated } from "./generated.ts";

/** A policy folder. */
export interface PolicyFolder {
  readonly name: string;
  /** It has a filter.ts: it compiles to a filter on workloads. */
  readonly hasFilter: boolean;
  /** It has an apply.ts: it is attached to Services and compiles into them. With neither it is a resource kind only. */
  readonly hasApply: boolean;
}

const SOURCES = "packages/policies/src";
const HEADER = "Generated from the folder names by npm run generate";

/** The folder that shows how a policy is made; it works, but no mesh has it. */
const EXAMPLE = "example";

/** Generates both registries. */
export function generatePolicies(): Generated {
  const folders = policyFolders(filesBelow(SOURCES, () => true)).filter(({ name }) => name !== EXAMPLE);
  return {
    files: [
      { path: `${SOURCES}/control.gen.ts`, text: controlRegistry(folders) },
      { path: `${SOURCES}/proxy.gen.ts`, text: proxyRegistry(folders) },
    ],
    stale: [],
    problems: folders.length === 0 ? [`${SOURCES}: holds no policy folder`] : [],
  };
}

/** The folders with an index.ts, by name. */
export function policyFolders(paths: readonly string[]): PolicyFolder[] {
  const known = new Set(paths);
  return paths
    .map((path) => /^packages\/policies\/src\/([^/]+)\/index\.ts$/.exec(path)?.[1])
    .filter((name) => name !== undefined)
    .toSorted()
    .map((name) => ({
      name,
      hasFilter: known.has(`${SOURCES}/${name}/filter.ts`),
      hasApply: known.has(`${SOURCES}/${name}/apply.ts`),
    }));
}

/** Source of control.gen.ts. */
export function controlRegistry(folders: readonly PolicyFolder[]): string {
  const imports = folders.map(({ name, hasFilter, hasApply }) => {
    const names = [
      `kind as ${camel(name)}Kind`,
      ...(hasFilter ? [`policy as ${camel(name)}`] : []),
      ...(hasApply ? [`servicePolicy as ${camel(name)}OnService`] : []),
    ];
    return `import { ${names.join(", ")} } from "./${name}/index.ts";`;
  });
  const filters = folders.filter(({ hasFilter }) => hasFilter);
  const attached = folders.filter(({ hasApply }) => hasApply);
  return `// ${HEADER}: every policy, control side.

import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

${imports.join("\n")}

/** The resource kind of every folder. */
export const policyResourceKinds: readonly Kind[] = [${folders.map(({ name }) => `${camel(name)}Kind`).join(", ")}];

/** The folders that compile to a filter on workloads. */
export const policyKinds: readonly PolicyKind[] = [${filters.map(({ name }) => camel(name)).join(", ")}];

/** The folders that are attached to Services and compile into them. */
export const servicePolicyKinds: readonly ServicePolicyKind[] = [${attached.map(({ name }) => `${camel(name)}OnService`).join(", ")}];
`;
}

/** Source of proxy.gen.ts. */
export function proxyRegistry(folders: readonly PolicyFolder[]): string {
  const filters = folders.filter(({ hasFilter }) => hasFilter);
  const imports = filters.map(({ name }) => `import { filterFactory as ${camel(name)} } from "./${name}/filter.ts";`);
  return `// ${HEADER}: every policy, proxy side.

import type { FilterFactory } from "@ripstop/policy-api/proxy";

${imports.join("\n")}

/** The filter of every policy. */
export const filterFactories: readonly FilterFactory[] = [${filters.map(({ name }) => camel(name)).join(", ")}];
`;
}

/** "rate-limit" as an identifier: "rateLimit". */
export function camel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
