// One canonical path: the very text that routes match, policies judge, logs show and the application receives.
// Anything that two readers could understand differently is either rewritten to one form or refused (CVE-2019-9901,
// CVE-2021-29492, CVE-2021-31920 and their kind).
//
// Rewritten: percent-encoded unreserved characters are decoded, other escapes get upper-case digits (RFC 3986 §6.2.2),
// "." and ".." segments are resolved (§5.2.4), runs of "/" become one.
// Refused: encoded slash, backslash, NUL and control characters; a raw backslash; a fragment; malformed escapes; ".."
// above the root; dot segments with parameters ("..;x"). Empty segments are merged, not refused, because joined paths with a double slash are common and
// harmless once there is one form of them.

/** Returned for a path that is refused. */
export const REFUSED_PATH = "";

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/** Per character code: 1 = legal in a path as it is (RFC 3986 pchar and "/", and what clients send in practice). */
const PLAIN = new Uint8Array(256);
/** 1 = unreserved (RFC 3986 §2.3). */
const UNRESERVED = new Uint8Array(256);
for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code);
  if (/[A-Za-z0-9._~-]/.test(char)) UNRESERVED[code] = 1;
  // Everything printable but space, "#", "%", "\"; bytes above 0x7f travel unchanged.
  if (code > 0x20 && code !== 0x7f && char !== "#" && char !== "%" && char !== "\\") PLAIN[code] = 1;
}

/** "..;x" is ".." to servers that know path parameters, and a name to the others. */
const DOTS_WITH_PARAMETERS = /^\.\.?(?:;|%3B)/;

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** True when nothing in `path[0, end)` needs rewriting or refusing; the common case, without allocation. */
function isCanonical(path: string, end: number): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  let previous = 0;
  for (let at = 0; at < end; at++) {
    const code = path.charCodeAt(at);
    if (PLAIN[code] !== 1) return false;
    // "//" or "/." may need work.
    if (previous === SLASH && (code === SLASH || code === DOT)) return false;
    previous = code;
  }
  return true;
}

/**
 * The canonical form of a request target's path, with the query (from "?") as it came. REFUSED_PATH when the path is
 * ambiguous. "*" (OPTIONS *) stays as it is.
 */
export function canonicalTarget(target: string): string {
  if (target === "*") return target;
  const mark = target.indexOf("?");
  const end = mark < 0 ? target.length : mark;
  if (mark >= 0 && !isCleanQuery(target, mark)) return REFUSED_PATH;
  if (isCanonical(target, end)) return target;
  const path = rewrite(target, end);
  return path === REFUSED_PATH || mark < 0 ? path : path + target.slice(mark);
}

function isCleanQuery(target: string, from: number): boolean {
  for (let at = from; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code <= 0x20 || code === 0x7f || code === 0x23) return false;
  }
  return true;
}

function rewrite(target: string, end: number): string {
  if (target.charCodeAt(0) !== SLASH) return REFUSED_PATH;
  const segments: string[] = [];
  let segment = "";
  for (let at = 1; at <= end; at++) {
    const code = at < end ? target.charCodeAt(at) : SLASH;
    if (code === SLASH) {
      const last = at === end;
      if (segment === "..") {
        if (segments.length === 0) return REFUSED_PATH;
        segments.pop();
        if (last) segments.push("");
      } else if (segment === ".") {
        if (last) segments.push("");
      } else if (DOTS_WITH_PARAMETERS.test(segment)) {
        return REFUSED_PATH;
      } else if (segment !== "" || last) {
        segments.push(segment);
      }
      segment = "";
    } else if (code === PERCENT) {
      const text = decodeEscape(target, at, end);
      if (text === REFUSED_PATH) return REFUSED_PATH;
      segment += text;
      at += 2;
    } else if (PLAIN[code] === 1) {
      segment += target[at] ?? "";
    } else {
      return REFUSED_PATH;
    }
  }
  return `/${segments.join("/")}`;
}

/** What the escape at `at` becomes: the character itself, the same escape in upper case, or REFUSED_PATH. */
function decodeEscape(target: string, at: number, end: number): string {
  if (at + 2 >= end) return REFUSED_PATH;
  const high = hexValue(target.charCodeAt(at + 1));
  const low = hexValue(target.charCodeAt(at + 2));
  if (high < 0 || low < 0) return REFUSED_PATH;
  const value = high * 16 + low;
  if (value === SLASH || value === 0x5c || value < 0x20 || value === 0x7f) return REFUSED_PATH;
  if (UNRESERVED[value] === 1) return String.fromCharCode(value);
  return `%${target.slice(at + 1, at + 3).toUpperCase()}`;
}
