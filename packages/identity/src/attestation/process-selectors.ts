// Which processes of a host may have an identity: what the kernel says of the process against what an entry wants.

/** What the kernel says of a process (Linux: the socket's peer credentials and /proc). */
export interface ProcessFacts {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Absolute path of the running program; "" when the agent may not read it. */
  readonly executable: string;
  /** SHA-256 of the running program's bytes, hex; read only when an entry asks for it, "" when it could not be. */
  readonly sha256: string;
  /** Control group paths, the one of version 2 first: "/system.slice/web.service". */
  readonly cgroups: readonly string[];
}

/** What an entry wants of a process: every field that is given must hold. */
export interface ProcessSelectors {
  readonly uid?: number;
  readonly gid?: number;
  /** Absolute path. */
  readonly executable?: string;
  /** Hex, lower case. */
  readonly sha256?: string;
  /** A control group path; the process may be in it or below it. */
  readonly cgroup?: string;
}

/** Why the process is not one of those, or undefined when it is. An entry that wants nothing matches nothing. */
export function mismatch(wanted: ProcessSelectors, facts: ProcessFacts): string | undefined {
  if (Object.values(wanted).every((value) => value === undefined)) return "the entry selects no process";
  if (wanted.uid !== undefined && wanted.uid !== facts.uid) return `uid ${facts.uid}, not ${wanted.uid}`;
  if (wanted.gid !== undefined && wanted.gid !== facts.gid) return `gid ${facts.gid}, not ${wanted.gid}`;
  if (wanted.executable !== undefined && wanted.executable !== facts.executable) {
    return `the program is ${facts.executable === "" ? "not readable" : facts.executable}, not ${wanted.executable}`;
  }
  if (wanted.cgroup !== undefined && !facts.cgroups.some((path) => isWithin(path, wanted.cgroup ?? ""))) {
    return `the control group is ${facts.cgroups[0] ?? "unknown"}, not ${wanted.cgroup}`;
  }
  if (wanted.sha256 !== undefined && wanted.sha256 !== facts.sha256) {
    return `the program's SHA-256 is ${facts.sha256 === "" ? "not readable" : facts.sha256}, not ${wanted.sha256}`;
  }
  return undefined;
}

function isWithin(path: string, group: string): boolean {
  const top = group.endsWith("/") ? group.slice(0, -1) : group;
  return path === top || path.startsWith(`${top}/`);
}
