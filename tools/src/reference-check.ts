// A package's dependencies and its TypeScript project references say the same: otherwise a build compiles against
// what an earlier build left.

import type { SourceFile } from "./lib/tree.ts";

/** One package's two files. */
export interface PackageFiles {
  readonly manifest: SourceFile;
  readonly tsconfig: SourceFile;
}

/** What only one of the two files names. */
export function checkReferences({ manifest, tsconfig }: PackageFiles): string[] {
  const { dependencies, devDependencies } = JSON.parse(manifest.text) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly devDependencies?: Readonly<Record<string, string>>;
  };
  const { references } = JSON.parse(tsconfig.text) as { readonly references?: readonly { readonly path: string }[] };
  const needed = new Set(
    Object.keys({ ...dependencies, ...devDependencies })
      .filter((name) => name.startsWith("@ripstop/"))
      .map((name) => name.slice("@ripstop/".length)),
  );
  const referenced = new Set((references ?? []).map(({ path }) => path.split("/").at(-1) ?? ""));
  return [
    ...[...needed]
      .filter((name) => !referenced.has(name))
      .map(
        (name) =>
          `${tsconfig.path}: does not reference ${name}; add { "path": "../${name}" }, as ${manifest.path} depends on it`,
      ),
    ...[...referenced]
      .filter((name) => !needed.has(name))
      .map(
        (name) =>
          `${manifest.path}: does not name @ripstop/${name}, which ${tsconfig.path} references; add it or drop the reference`,
      ),
  ];
}
