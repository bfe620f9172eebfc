// The lock file: no download addresses (so that any registry mirror works), and checksums for all that is downloaded.
// The manifests: exact versions only.

import type { SourceFile } from "./lib/tree.ts";

/** What npm writes for one package. */
interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

/** Problems of package-lock.json, and how many packages it holds. */
export function checkLockfile(file: SourceFile): { readonly problems: string[]; readonly seen: number } {
  const lock = JSON.parse(file.text) as {
    readonly lockfileVersion?: number;
    readonly packages?: Readonly<Record<string, LockedPackage>>;
  };
  const problems: string[] = [];
  if (lock.lockfileVersion !== 3)
    problems.push(`${file.path}: lockfileVersion is not 3; write it with npm 10 or newer`);
  const entries = Object.entries(lock.packages ?? {}).filter(([place]) => place !== "");
  for (const [place, entry] of entries) {
    if (entry.resolved !== undefined && entry.link !== true) {
      problems.push(
        `${file.path}: ${place} has a download address; keep omit-lockfile-registry-resolved=true in .npmrc`,
      );
    }
    const downloaded = place.includes("node_modules/") && entry.link !== true;
    if (downloaded && entry.integrity === undefined)
      problems.push(`${file.path}: ${place} has no checksum; install it again`);
  }
  return { problems, seen: entries.length };
}

const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** Dependencies of a package.json that are not pinned to one version. */
export function checkManifest({ path, text }: SourceFile): string[] {
  const manifest = JSON.parse(text) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  return ["dependencies", "devDependencies", "optionalDependencies"].flatMap((field) =>
    Object.entries(manifest[field] ?? {})
      .filter(([, version]) => !EXACT.test(version))
      .map(([name, version]) => `${path}: ${field} has ${name} ${version}; name one exact version`),
  );
}
