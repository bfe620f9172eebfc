// Proxy side: what a rule matches, made ready. No allocation per request.

import type { RequestInfo } from "@ripstop/policy-api/proxy";

import { RuleMatcher, type Strictness } from "../authorization/rule-matcher.ts";
import { HeaderMatch_Type, type HeaderMatch, type Match } from "./config.gen.ts";

/** A match in force. What names HTTP fields matches no raw connection. */
export class RequestMatcher {
  readonly #rule: RuleMatcher;
  readonly #headers: readonly HeaderMatch[];

  /** `loose`: spellings that an application may take for the same path match too. */
  constructor(match: Match | undefined, loose: boolean) {
    const strictness: Strictness = { httpFieldsHoldOnTcp: false, loose };
    this.#rule = new RuleMatcher({ from: match?.from ?? [], to: match?.to ?? [] }, strictness);
    this.#headers = match?.headers ?? [];
  }

  matches(request: RequestInfo): boolean {
    if (!this.#rule.matches(request)) return false;
    const headers = this.#headers;
    for (let at = 0; at < headers.length; at++) {
      const wanted = headers[at];
      if (wanted !== undefined && !hasField(request, wanted)) return false;
    }
    return true;
  }
}

/** One of several fields of a name is enough. */
function hasField({ headers }: RequestInfo, wanted: HeaderMatch): boolean {
  for (let at = headers.indexOf(wanted.name, 0); at >= 0; at = headers.indexOf(wanted.name, at + 1)) {
    const value = headers.valueAt(at);
    switch (wanted.type) {
      case HeaderMatch_Type.PRESENT:
        return true;
      case HeaderMatch_Type.EXACT:
        if (value === wanted.value) return true;
        break;
      case HeaderMatch_Type.PREFIX:
        if (value.startsWith(wanted.value)) return true;
        break;
      default:
        return false;
    }
  }
  return false;
}
