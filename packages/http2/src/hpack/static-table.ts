// The static table of HPACK (RFC 7541 Appendix A), with kinds and flags computed at load.

import { classifyValue, fieldKindOf } from "../field-kind.ts";

const ENTRIES: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** Number of static entries; their indices are 1 … STATIC_COUNT. */
export const STATIC_COUNT: number = ENTRIES.length;

/** Names by index; index 0 is not used. */
export const STATIC_NAMES: readonly string[] = ["", ...ENTRIES.map(([name]) => name)];

/** Values by index; index 0 is not used. */
export const STATIC_VALUES: readonly string[] = ["", ...ENTRIES.map(([, value]) => value)];

/** FieldKind by index. */
export const STATIC_KINDS: Uint8Array = Uint8Array.from(STATIC_NAMES, fieldKindOf);

/** FieldFlag bits by index. */
export const STATIC_FLAGS: Uint16Array = Uint16Array.from(STATIC_VALUES, (value) =>
  classifyValue(Buffer.from(value, "latin1"), 0, value.length),
);

/** The first index with this name, or 0. */
export function staticIndexOfName(name: string): number {
  return Math.max(0, STATIC_NAMES.indexOf(name, 1));
}
