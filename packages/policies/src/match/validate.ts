// What the schema of a match cannot say.

import { checkFrom, checkTo, type Found } from "../authorization/validate.ts";
import type { RequestMatch } from "./spec.ts";

/** Adds every violation of a rule's match at `path` ("spec.rules[0]"). */
export function checkMatch(match: RequestMatch, path: string, found: Found[]): void {
  for (const [at, from] of (match.from ?? []).entries()) checkFrom(from, `${path}.from[${at}]`, found);
  for (const [at, to] of (match.to ?? []).entries()) checkTo(to, `${path}.to[${at}]`, found);
  for (const [at, { type, value }] of (match.headers ?? []).entries()) {
    if ((type === "Present") === (value === undefined)) continue;
    found.push({
      path: `${path}.headers[${at}].value`,
      message: type === "Present" ? "a value is given, and Present takes any" : `${type} has no value to compare with`,
      remedy: type === "Present" ? "leave the value out, or use type Exact" : "give a value, or use type Present",
    });
  }
}
