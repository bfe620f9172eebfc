// One claim of a token, by name or by JSON pointer.

import { isRecord } from "@ripstop/resources";

/**
 * The claim `name`, or the one that the JSON pointer (RFC 6901) leads to when `name` begins with a slash. Text as it
 * is, numbers and booleans as JSON writes them; undefined for what is not there, and for lists and maps.
 */
export function claimAt(claims: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const parts = name.startsWith("/") ? name.slice(1).split("/") : undefined;
  const keys = parts?.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")) ?? [name];
  let value: unknown = claims;
  for (const key of keys) {
    if (!isRecord(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
