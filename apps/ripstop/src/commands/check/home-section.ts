// The section of the mesh home: nobody but its owner may read keys or reach sockets.

import { lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { fine, problem, warning, type Finding, type Section } from "./finding.ts";

/** Bits of group and others. */
const OTHERS = 0o077;
const MAX_ENTRIES = 20_000;
const MAX_NAMED = 10;
const SECRET = /(^|[._-])key(\.pem)?$|\.sock$/;

/** Looks at the home and everything in it. */
export function homeSection(home: string): Section {
  const own = stats(home);
  if (own === undefined) {
    return { name: "mesh home", findings: [problem(`${home} is not there`, "start one with `ripstop up`")] };
  }
  const open: string[] = [];
  let secrets = 0;
  let seen = 0;
  const walk = (directory: string): void => {
    for (const name of list(directory)) {
      if (++seen > MAX_ENTRIES) return;
      const path = join(directory, name);
      const found = stats(path);
      if (found === undefined) continue;
      if (found.isDirectory()) walk(path);
      if (!SECRET.test(name) || found.isDirectory()) continue;
      secrets++;
      if ((found.mode & OTHERS) !== 0) open.push(path);
    }
  };
  walk(home);
  const findings: Finding[] = [
    (own.mode & OTHERS) === 0
      ? fine(`${home} belongs to its owner alone`)
      : problem(`others may look into ${home}`, `chmod 700 ${home}`),
    fine(`${secrets - open.length} of ${secrets} keys and sockets can be used by their owner alone`),
    ...open.slice(0, MAX_NAMED).map((path) => problem(`others may use ${path}`, `chmod 600 ${path}`)),
  ];
  if (open.length > MAX_NAMED) findings.push(problem(`and ${open.length - MAX_NAMED} more`, `chmod -R go= ${home}`));
  if (seen > MAX_ENTRIES) findings.push(warning(`only the first ${MAX_ENTRIES} entries were looked at`, ""));
  return { name: "mesh home", findings };
}

function stats(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Entries; none of a folder that vanished or that this user may not read. */
function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
