// The query part of a request target, read without building an object of it.

/** A request target split at its first "?". */
export interface SplitTarget {
  readonly path: string;
  /** Without "?"; "" when there is none. */
  readonly query: string;
}

/** Splits "/a?b=c" into "/a" and "b=c". */
export function splitTarget(target: string): SplitTarget {
  const at = target.indexOf("?");
  return at < 0 ? { path: target, query: "" } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

function decode(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** The first value of parameter `name` in `query`, percent-decoded (Gateway API: the first one counts), or undefined. */
export function queryValue(query: string, name: string): string | undefined {
  let from = 0;
  while (from <= query.length) {
    let end = query.indexOf("&", from);
    if (end < 0) end = query.length;
    const equals = query.indexOf("=", from);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (nameEnd > from && decode(query.slice(from, nameEnd)) === name) {
      return nameEnd === end ? "" : decode(query.slice(nameEnd + 1, end));
    }
    from = end + 1;
  }
  return undefined;
}
