// The status of a resource in a few words, for tables.

import type { Resource } from "@ripstop/resources";

/** Conditions that are good news when they are False. */
const BAD_WHEN_TRUE: ReadonlySet<string> = new Set([
  "Conflicted",
  "PartiallyInvalid",
  "InsecureFrontendValidationMode",
]);

interface Found {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

/** "ok", what is wrong ("Accepted=False NoMatchingParent", "+1 more"), or "" for a resource without conditions. */
export function statusSummary({ status }: Pick<Resource, "status">): string {
  const found = conditionsIn(status);
  if (found.length === 0) return "";
  const wrong = found.filter(({ type, status: value }) => value !== (BAD_WHEN_TRUE.has(type) ? "False" : "True"));
  const words = [...new Set(wrong.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`))];
  const [first, ...more] = words;
  if (first === undefined) return "ok";
  return more.length === 0 ? first : `${first}, +${more.length} more`;
}

/** Every condition, at whatever depth: of listeners, parents and ancestors too. */
function conditionsIn(value: unknown): readonly Found[] {
  if (Array.isArray(value)) return value.flatMap(conditionsIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === "conditions" && Array.isArray(child) ? child.filter(isCondition) : conditionsIn(child),
  );
}

function isCondition(value: unknown): value is Found {
  return typeof value === "object" && value !== null && "type" in value && "status" in value && "reason" in value;
}
