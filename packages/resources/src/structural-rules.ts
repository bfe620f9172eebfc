// What Kubernetes' structural schemas say beyond JSON Schema: CEL rules (x-kubernetes-validations) and the keys of lists
// that stand for maps or sets (x-kubernetes-list-type). Checked on values that fit the schema and have their defaults.

import { isIP } from "node:net";

import { Environment, type ParseResult } from "@marcbachmann/cel-js";

import { formatPath, isRecord, type FieldPath } from "./field-path.ts";
import type { JsonSchema } from "./kind.ts";
import { quote } from "./names.ts";
import type { SchemaProblem } from "./schema.ts";

const MAX_PROBLEMS = 100;
const MAX_SHOWN = 200;

let environment: Environment | undefined;
const programs = new Map<string, ParseResult>();

/** Every rule of `schema` that `value` breaks, at most 100. `old` is the value before the change, for transition rules. */
export function brokenRules(schema: JsonSchema, value: unknown, old: unknown): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  walk({ schema, value, old, path: [] }, problems);
  return problems.slice(0, MAX_PROBLEMS);
}

/** A CEL rule as it is parsed here. Throws when it is no CEL: a bug of the schema's author. */
export function parseRule(rule: string): ParseResult {
  const known = programs.get(rule);
  if (known !== undefined) return known;
  environment ??= makeEnvironment();
  const parsed = environment.parse(inDialect(rule));
  programs.set(rule, parsed);
  return parsed;
}

/**
 * A rule in the words of this library: Kubernetes escapes fields that are reserved words, the library reads them as they are;
 * its has() takes no index; and patterns are of RE2.
 */
function inDialect(rule: string): string {
  return rule
    .replaceAll("__namespace__", "namespace")
    .replaceAll(".matches(", ".matchesRe2(")
    .replaceAll(/has\(([a-z0-9_.]+\[\d+\])\.(\w+)\)/gi, '("$2" in $1)');
}

interface Place {
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly old: unknown;
  readonly path: FieldPath;
}

function walk({ schema, value, old, path }: Place, problems: SchemaProblem[]): void {
  if (value === undefined || value === null) return;
  checkList(schema, value, path, problems);
  for (const rule of rulesOf(schema)) checkRule(rule, { schema, value, old, path }, problems);
  const { properties, items, additionalProperties } = schema;
  if (isRecord(value)) {
    const before = isRecord(old) ? old : {};
    for (const [key, child] of Object.entries(value)) {
      const known = isRecord(properties) && Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
      if (isRecord(known)) walk({ schema: known, value: child, old: before[key], path: [...path, key] }, problems);
    }
  } else if (Array.isArray(value) && isRecord(items)) {
    for (const [index, child] of value.entries())
      walk({ schema: items, value: child, old: undefined, path: [...path, index] }, problems);
  }
}

interface Rule {
  readonly rule: string;
  readonly message: string;
}

function rulesOf(schema: JsonSchema): readonly Rule[] {
  const rules = schema["x-kubernetes-validations"];
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((one: unknown) => {
    if (!isRecord(one) || typeof one["rule"] !== "string") return [];
    const { rule, message } = one;
    return [{ rule, message: typeof message === "string" ? message : `the rule ${rule} does not hold` }];
  });
}

function checkRule({ rule, message }: Rule, { value, old, path }: Place, problems: SchemaProblem[]): void {
  const isTransition = rule.includes("oldSelf");
  if (isTransition && old === undefined) return;
  if (problems.length >= MAX_PROBLEMS) return;
  let holds: unknown;
  let cause = "";
  try {
    holds = parseRule(rule)({ self: value, ...(isTransition ? { oldSelf: old } : {}) });
  } catch (error) {
    // As an API server does it: a rule that cannot be evaluated does not hold.
    holds = false;
    cause = error instanceof Error ? ` (${error.message.split("\n")[0] ?? ""})` : "";
  }
  if (holds === true) return;
  const shown = rule.length > MAX_SHOWN ? `${rule.slice(0, MAX_SHOWN)}...` : rule;
  problems.push({
    path,
    message: `${message}${cause}`,
    remedy: `change it so that this holds: ${shown}`,
    atKey: false,
  });
}

function checkList(schema: JsonSchema, value: unknown, path: FieldPath, problems: SchemaProblem[]): void {
  if (!Array.isArray(value)) return;
  const type = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"];
  if (type !== "set" && !(type === "map" && Array.isArray(keys))) return;
  const names = Array.isArray(keys) ? keys.map(String) : [];
  const seen = new Map<string, number>();
  for (const [index, entry] of (value as readonly unknown[]).entries()) {
    const key: unknown = type === "set" ? entry : names.map((name) => (isRecord(entry) ? (entry[name] ?? null) : null));
    const text = JSON.stringify(key);
    const first = seen.get(text);
    if (first !== undefined && problems.length < MAX_PROBLEMS) {
      const what = type === "set" ? "the same value" : `the same ${names.join(", ")}`;
      problems.push({
        path: [...path, index],
        message: `this entry has ${what} as ${formatPath([...path, first])}${names.length === 1 && isRecord(entry) ? `: ${quote(String(entry[names[0] ?? ""]))}` : ""}`,
        remedy: "keep one of them",
        atKey: false,
      });
    }
    seen.set(text, first ?? index);
  }
}

function makeEnvironment(): Environment {
  return (
    new Environment({ limits: { maxAstNodes: 10_000, maxDepth: 500 } })
      .registerVariable("self", "dyn")
      .registerVariable("oldSelf", "dyn")
      // Kubernetes' own: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library
      .registerFunction("isIP(dyn): bool", (text: unknown) => typeof text === "string" && isIP(text) !== 0)
      .registerFunction("dyn.matchesRe2(string): bool", (text: unknown, pattern: string) => matches(text, pattern))
  );
}

const patterns = new Map<string, RegExp>();

/** RE2's syntax where JavaScript's differs in the published rules: "(?i)" at the start. */
function matches(text: unknown, pattern: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    const ignoreCase = /^\^?\(\?i\)/.test(pattern);
    compiled = new RegExp(ignoreCase ? pattern.replace("(?i)", "") : pattern, ignoreCase ? "iu" : "u");
    patterns.set(pattern, compiled);
  }
  return typeof text === "string" && compiled.test(text);
}
