// The path of a redirect or rewrite (Gateway API HTTPPathModifier).

import type { PathModifier } from "@ripstop/model";

/** Changes the path of a request target and keeps its query. */
export interface PathEdit {
  /** `target` is a canonical path with or without "?" and query; anything but a path ("*") stays as it is. */
  apply(target: string): string;
}

/** Visible ASCII but "?" and "#": what a path on the wire may hold. Anything else could split the request line. */
function isSafePath(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === 0x3f || code === 0x23) return false;
  }
  return true;
}

const withoutSlashAtEnd = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);

/**
 * Makes a modifier ready; `prefix` is the path prefix of the match that it belongs to. Undefined when there is nothing
 * to change, or nothing that could be sent.
 */
export function compilePathEdit(modifier: PathModifier | undefined, prefix: string): PathEdit | undefined {
  const change = modifier?.modifier;
  if (change === undefined || !isSafePath(change.value)) return undefined;
  if (change.$case === "full") {
    const full = change.value.startsWith("/") ? change.value : `/${change.value}`;
    return { apply: (target) => (target.startsWith("/") ? full + queryOf(target) : target) };
  }
  const matched = withoutSlashAtEnd(prefix);
  const replacement = withoutSlashAtEnd(change.value);
  return {
    apply(target) {
      const query = queryOf(target);
      const path = target.slice(0, target.length - query.length);
      // Only what the rule did not match by this prefix fails here.
      if (!path.startsWith("/") || !path.startsWith(matched)) return target;
      const changed = replacement + path.slice(matched.length);
      return (changed.startsWith("/") ? changed : `/${changed}`) + query;
    },
  };
}

/** "?" and the query, or "". */
function queryOf(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? "" : target.slice(at);
}
