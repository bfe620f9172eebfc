// Program: the lock file holds no download addresses, and manifests name exact versions.

import { filesBelow, read } from "./lib/tree.ts";
import { conclude } from "./lib/verdict.ts";
import { checkLockfile, checkManifest } from "./lockfile-check.ts";

const { problems, seen } = checkLockfile(read("package-lock.json"));
const manifests = filesBelow("", (path) => path === "package.json" || path.endsWith("/package.json"));
problems.push(...manifests.flatMap((path) => checkManifest(read(path))));
conclude({ problems, seen, noun: "locked packages" });
