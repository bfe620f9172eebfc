// What a rule matches, to its config.

import { compileFrom, compileTo } from "../authorization/compile.ts";
import { HeaderMatch_Type, type Match } from "./config.gen.ts";
import type { HeaderMatchSpec, RequestMatch } from "./spec.ts";

const TYPES: Readonly<Record<HeaderMatchSpec["type"], HeaderMatch_Type>> = {
  Present: HeaderMatch_Type.PRESENT,
  Exact: HeaderMatch_Type.EXACT,
  Prefix: HeaderMatch_Type.PREFIX,
};

/** Config of a valid match of a policy in `namespace`. */
export function compileMatch(match: RequestMatch, namespace: string, trustDomain: string): Match {
  return {
    from: (match.from ?? []).map((from) => compileFrom(from, namespace, trustDomain)),
    to: (match.to ?? []).map(compileTo),
    headers: (match.headers ?? []).map(({ name, type, value = "" }) => ({
      name: name.toLowerCase(),
      type: TYPES[type],
      value,
    })),
  };
}
