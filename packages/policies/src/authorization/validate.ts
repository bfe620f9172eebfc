// What the schema of AuthorizationPolicy cannot say.

import type { Resource, Violation } from "@ripstop/resources";

import { canonicalPathProblem } from "../canonical-path.ts";
import type { AuthorizationFrom, AuthorizationPolicySpec, AuthorizationTo } from "./schema.ts";

/** A violation, without what the caller fills in. */
export type Found = Pick<Violation, "path" | "message" | "remedy">;

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const HOST = /^(\*\.)?[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/i;
const PRINCIPAL = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)*(\/\*)?$/;

/** Every violation of the rules beyond the schema. */
export function validateAuthorization(policy: Resource<AuthorizationPolicySpec>): Found[] {
  const { spec } = policy;
  const found: Found[] = [];
  if (spec.targetRefs !== undefined && spec.selector !== undefined) {
    found.push({
      path: "spec.selector",
      message: "targetRefs and selector are both given",
      remedy: "keep one of them: targetRefs names Services, selector names labels of workloads",
    });
  }
  if (spec.action !== "ALLOW" && spec.rules.length === 0) {
    found.push({
      path: "spec.rules",
      message: `${spec.action === "DENY" ? "a DENY" : "an AUDIT"} policy without rules does nothing`,
      remedy: "add a rule; one empty rule, `rules: [{}]`, matches every request",
    });
  }
  for (const [at, rule] of spec.rules.entries()) {
    for (const [entry, from] of (rule.from ?? []).entries()) checkFrom(from, `spec.rules[${at}].from[${entry}]`, found);
    for (const [entry, to] of (rule.to ?? []).entries()) checkTo(to, `spec.rules[${at}].to[${entry}]`, found);
  }
  return found;
}

/** Adds what is wrong with an entry of `from` at `path`. */
export function checkFrom(from: AuthorizationFrom, path: string, found: Found[]): void {
  for (const [at, principal] of (from.principals ?? []).entries()) {
    if (principal === "*") continue;
    const place = `${path}.principals[${at}]`;
    if (!principal.startsWith("spiffe://")) {
      found.push({
        path: place,
        message: `"${principal}" is not a SPIFFE id`,
        remedy: 'write the whole id, for example "spiffe://mesh.local/ns/shop/sa/web", or use serviceAccounts',
      });
    } else if (principal.includes("*") && !principal.endsWith("/*")) {
      found.push({
        path: place,
        message: `"${principal}" has a * that does not stand for whole segments`,
        remedy: 'end it in "/*": "spiffe://mesh.local/ns/shop/*" is every identity below, and not those of "shop2"',
      });
    } else if (!PRINCIPAL.test(principal)) {
      found.push({
        path: place,
        message: `"${principal}" is not a valid SPIFFE id`,
        remedy: "write spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT, the trust domain in lower case",
      });
    }
  }
  for (const [at, account] of (from.serviceAccounts ?? []).entries()) {
    const parts = account.split("/");
    const name = parts.at(-1) ?? "";
    const valid = parts.length <= 2 && parts.every((part) => part !== "") && isServiceAccount(name);
    if (!valid || (parts.length === 2 && !DNS_LABEL.test(parts[0] ?? ""))) {
      found.push({
        path: `${path}.serviceAccounts[${at}]`,
        message: `"${account}" is not a service account`,
        remedy: 'write "NAME" for one of the policy\'s own namespace, or "NAMESPACE/NAME"',
      });
    }
  }
}

/** Service accounts are named like DNS subdomains (RFC 1123). */
function isServiceAccount(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => DNS_LABEL.test(label));
}

/** Adds what is wrong with an entry of `to` at `path`. */
export function checkTo(to: AuthorizationTo, path: string, found: Found[]): void {
  for (const [at, value] of (to.paths ?? []).entries()) {
    if (value === "*" || value === "/*") continue;
    const place = `${path}.paths[${at}]`;
    const stem = value.endsWith("/*") ? value.slice(0, -2) : value;
    const problem = canonicalPathProblem(stem);
    if (problem !== undefined) {
      found.push({
        path: place,
        message: `"${value}" ${problem}`,
        remedy: 'write a whole path ("/stock/42") or a prefix ("/stock/*"), as the application sees it',
      });
    } else if (stem.includes("*")) {
      found.push({
        path: place,
        message: `"${value}" has a * that is not at its end`,
        remedy: 'a * stands only at the end, after a slash: "/stock/*"',
      });
    }
  }
  for (const [at, host] of (to.hosts ?? []).entries()) {
    if (host === "*" || HOST.test(host)) continue;
    found.push({
      path: `${path}.hosts[${at}]`,
      message: `"${host}" is not a host name`,
      remedy: /:\d+$/.test(host)
        ? "leave the port out; `ports` selects ports"
        : 'write a name ("stock.shop") or every name below one ("*.shop")',
    });
  }
}
