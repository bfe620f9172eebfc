// Proxy side: one rule of a policy, made ready for matching. No allocation per request.

import type { RequestInfo } from "@ripstop/policy-api/proxy";

import type { From, Rule, To } from "./config.gen.ts";
import { isAtOrBelow, toLoosePath } from "./path-forms.ts";

/** How a rule treats what it cannot compare. */
export interface Strictness {
  /** Fields that only HTTP has hold for a TCP connection: so for DENY and AUDIT. For ALLOW they never do. */
  readonly httpFieldsHoldOnTcp: boolean;
  /** Paths are compared in their loose form too, and methods without regard to case: so for DENY. */
  readonly loose: boolean;
}

/** A field of a From or To. */
export type FieldName = "principals" | "namespaces" | "serviceAccounts" | "methods" | "paths" | "hosts" | "ports";

/** One condition of a rule: a list of which one entry must hold. */
export interface FieldMatcher {
  readonly name: FieldName;
  /** As the policy compiled to, for explanations. */
  readonly wanted: readonly string[];
  holds(request: RequestInfo): boolean;
}

/** One entry of `from` or `to`: all its fields must hold. */
export class EntryMatcher {
  readonly fields: readonly FieldMatcher[];

  constructor(fields: readonly FieldMatcher[]) {
    this.fields = fields;
  }

  matches(request: RequestInfo): boolean {
    for (const field of this.fields) if (!field.holds(request)) return false;
    return true;
  }
}

/** One rule. */
export class RuleMatcher {
  readonly from: readonly EntryMatcher[];
  readonly to: readonly EntryMatcher[];

  constructor(rule: Rule, strictness: Strictness) {
    this.from = rule.from.map((from) => new EntryMatcher(fromFields(from)));
    this.to = rule.to.map((to) => new EntryMatcher(toFields(to, strictness)));
  }

  matches(request: RequestInfo): boolean {
    return anyMatches(this.from, request) && anyMatches(this.to, request);
  }
}

/** True when one entry matches, or there is none. */
export function anyMatches(entries: readonly EntryMatcher[], request: RequestInfo): boolean {
  for (const entry of entries) if (entry.matches(request)) return true;
  return entries.length === 0;
}

function fromFields(from: From): FieldMatcher[] {
  const fields: FieldMatcher[] = [];
  if (from.principals.length > 0) fields.push(new IdentityField("principals", from.principals));
  if (from.namespaces.length > 0) fields.push(new IdentityField("namespaces", from.namespaces));
  if (from.serviceAccounts.length > 0) fields.push(new IdentityField("serviceAccounts", from.serviceAccounts));
  return fields;
}

function toFields(to: To, strictness: Strictness): FieldMatcher[] {
  const fields: FieldMatcher[] = [];
  if (to.ports.length > 0) fields.push(new PortField(to.ports));
  if (to.methods.length > 0) fields.push(new MethodField(to.methods, strictness));
  if (to.hosts.length > 0) fields.push(new HostField(to.hosts, strictness));
  if (to.paths.length > 0) fields.push(new PathField(to.paths, strictness));
  return fields;
}

/** Whole texts in a set, and prefixes. */
class PatternList {
  readonly exact = new Set<string>();
  readonly prefixes: string[] = [];

  /** Whether the whole of `text` or one of its beginnings is listed. */
  has(text: string): boolean {
    if (this.exact.has(text)) return true;
    for (const prefix of this.prefixes) if (text.startsWith(prefix)) return true;
    return false;
  }
}

class IdentityField implements FieldMatcher {
  readonly name: FieldName;
  readonly wanted: readonly string[];
  readonly #list = new PatternList();

  constructor(name: FieldName, patterns: readonly string[]) {
    this.name = name;
    this.wanted = patterns;
    for (const pattern of patterns) {
      if (pattern.endsWith("*")) this.#list.prefixes.push(pattern.slice(0, -1));
      else this.#list.exact.add(pattern);
    }
  }

  holds(request: RequestInfo): boolean {
    const { identity } = request.source;
    return identity !== "" && this.#list.has(identity);
  }
}

class PortField implements FieldMatcher {
  readonly name = "ports";
  readonly wanted: readonly string[];
  readonly #ports: ReadonlySet<number>;

  constructor(ports: readonly number[]) {
    this.wanted = ports.map(String);
    this.#ports = new Set(ports);
  }

  holds(request: RequestInfo): boolean {
    return this.#ports.has(request.port);
  }
}

class MethodField implements FieldMatcher {
  readonly name = "methods";
  readonly wanted: readonly string[];
  readonly #methods: ReadonlySet<string>;
  readonly #strictness: Strictness;

  constructor(methods: readonly string[], strictness: Strictness) {
    this.wanted = methods;
    this.#methods = new Set(methods);
    this.#strictness = strictness;
  }

  holds(request: RequestInfo): boolean {
    if (!request.http) return this.#strictness.httpFieldsHoldOnTcp;
    return this.#methods.has(this.#strictness.loose ? request.method.toUpperCase() : request.method);
  }
}

class HostField implements FieldMatcher {
  readonly name = "hosts";
  readonly wanted: readonly string[];
  readonly #exact = new Set<string>();
  readonly #suffixes: string[] = [];
  readonly #strictness: Strictness;

  constructor(hosts: readonly string[], strictness: Strictness) {
    this.wanted = hosts;
    this.#strictness = strictness;
    for (const host of hosts) {
      if (host.startsWith("*")) this.#suffixes.push(host.slice(1));
      else this.#exact.add(host);
    }
  }

  holds(request: RequestInfo): boolean {
    const { host } = request;
    // A tunnel through an egress gateway has a host, other raw connections have none.
    if (!request.http && host === "") return this.#strictness.httpFieldsHoldOnTcp;
    const name = host.endsWith(".") ? host.slice(0, -1) : host;
    if (this.#exact.has(name)) return true;
    for (const suffix of this.#suffixes) if (name.length > suffix.length && name.endsWith(suffix)) return true;
    return false;
  }
}

class PathField implements FieldMatcher {
  readonly name = "paths";
  readonly wanted: readonly string[];
  readonly #strict = new PathList();
  readonly #loose: PathList | undefined;
  readonly #strictness: Strictness;

  constructor(paths: readonly string[], strictness: Strictness) {
    this.wanted = paths;
    this.#strictness = strictness;
    this.#loose = strictness.loose ? new PathList() : undefined;
    for (const path of paths) {
      const below = path.endsWith("/*");
      const stem = below ? path.slice(0, -2) : path;
      this.#strict.add(stem, below);
      this.#loose?.add(toLoosePath(stem), below);
    }
  }

  holds(request: RequestInfo): boolean {
    if (!request.http) return this.#strictness.httpFieldsHoldOnTcp;
    if (this.#strict.has(request.path)) return true;
    return this.#loose !== undefined && this.#loose.has(toLoosePath(request.path));
  }
}

/** Whole paths, and paths with everything below them. */
class PathList {
  readonly #exact = new Set<string>();
  readonly #prefixes: string[] = [];

  add(stem: string, below: boolean): void {
    if (below) this.#prefixes.push(stem);
    else this.#exact.add(stem);
  }

  has(path: string): boolean {
    if (this.#exact.has(path)) return true;
    for (const prefix of this.#prefixes) if (isAtOrBelow(path, prefix)) return true;
    return false;
  }
}
