// JSON Schema for people: compiles a schema with Ajv, fills in defaults, and turns every error into a plain violation.

import { isIPv4, isIPv6 } from "node:net";

import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";

import { parseDurationMs } from "@ripstop/core";

import { closest } from "./closest.ts";
import { formatPath, isRecord, pathOfPointer, type FieldPath } from "./field-path.ts";
import type { JsonSchema } from "./kind.ts";
import { isDnsLabel, isDnsSubdomain, quote } from "./names.ts";
import { brokenRules } from "./structural-rules.ts";

/** One thing that does not fit a schema. */
export interface SchemaProblem {
  readonly path: FieldPath;
  readonly message: string;
  readonly remedy: string;
  /** The problem is with the key (an unknown field), not with its value. */
  readonly atKey: boolean;
}

/** Checks values against one schema. */
export interface SchemaChecker {
  /** Fills defaults into `value` (in place) and returns every problem, at most 100. */
  check(value: unknown): readonly SchemaProblem[];
  /** What it checks against, as it was given. */
  readonly schema: JsonSchema;
  /**
   * The rules of Kubernetes' structural schemas (CEL, list keys) that `value` breaks, at most 100. `value` passed `check`;
   * `old` is what it replaces, if anything.
   */
  checkRules(value: unknown, old?: unknown): readonly SchemaProblem[];
}

const MAX_PROBLEMS = 100;

const ajv = new Ajv({
  allErrors: true,
  useDefaults: true,
  verbose: true,
  strict: false,
  strictSchema: true,
  logger: false,
  formats: {
    int32: { type: "number", validate: (value: number) => Number.isInteger(value) && Math.abs(value) <= 2 ** 31 },
    int64: { type: "number", validate: (value: number) => Number.isSafeInteger(value) },
    ipv4: (value: string) => isIPv4(value),
    ipv6: (value: string) => isIPv6(value),
    duration: (value: string) => parseDurationMs(value).ok,
    "dns-label": isDnsLabel,
    "dns-subdomain": isDnsSubdomain,
  },
});
// What would be right, in the schema author's words; used as the remedy of any error at that place.
ajv.addKeyword({ keyword: "x-remedy", schemaType: "string" });
// An object that takes any field.
ajv.addKeyword({ keyword: "x-preserve-unknown-fields", schemaType: "boolean" });
// Checked by structural-rules.ts.
ajv.addKeyword({ keyword: "x-kubernetes-validations", schemaType: "array" });
ajv.addKeyword({ keyword: "x-kubernetes-list-type", schemaType: "string" });
ajv.addKeyword({ keyword: "x-kubernetes-list-map-keys", schemaType: "array" });

/** Compiled once: the published schemas of routes are large. */
const checkers = new WeakMap<JsonSchema, SchemaChecker>();

/**
 * Compiles a schema. Every object with `properties` refuses unknown fields unless it says otherwise
 * ("additionalProperties" or "x-preserve-unknown-fields"); branches of anyOf, oneOf, allOf and if stay open.
 * Throws on a schema that is itself wrong: that is a bug of its author.
 */
export function compileSchema(schema: JsonSchema): SchemaChecker {
  const known = checkers.get(schema);
  if (known !== undefined) return known;
  const validate: ValidateFunction = ajv.compile(close(schema));
  const checker: SchemaChecker = {
    schema,
    check(value) {
      // The first time may judge a choice (oneOf) before the defaults that it looks at are filled in; the second does not.
      if (validate(value) || validate(value)) return [];
      return problemsOf(validate.errors ?? [], value);
    },
    checkRules: (value, old) => brokenRules(schema, value, old),
  };
  checkers.set(schema, checker);
  return checker;
}

function close(schema: JsonSchema): JsonSchema {
  const closed: Record<string, unknown> = { ...schema };
  const { properties, items, additionalProperties } = schema;
  if (isRecord(properties)) {
    closed["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, child]) => [name, isRecord(child) ? close(child) : child]),
    );
    if (additionalProperties === undefined && schema["x-preserve-unknown-fields"] !== true)
      closed["additionalProperties"] = false;
  }
  if (isRecord(items)) closed["items"] = close(items);
  if (isRecord(additionalProperties)) closed["additionalProperties"] = close(additionalProperties);
  return closed;
}

function problemsOf(errors: readonly ErrorObject[], root: unknown): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const seen = new Set<string>();
  for (const error of errors) {
    // What the branches of a choice say is summed up by the error of the choice itself.
    if (/\/(anyOf|oneOf)\/\d+\//.test(error.schemaPath) || error.keyword === "if" || error.propertyName !== undefined)
      continue;
    const problem = problemOf(error, root);
    const key = `${formatPath(problem.path)} ${problem.message}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (problems.push(problem) >= MAX_PROBLEMS) break;
  }
  return problems;
}

function problemOf(error: ErrorObject, root: unknown): SchemaProblem {
  const at = pathOfPointer(error.instancePath, root);
  const { params } = error;
  const parent: Readonly<Record<string, unknown>> = isRecord(error.parentSchema) ? error.parentSchema : {};
  const name = at.length === 0 ? "the value" : String(at.at(-1) ?? "");
  const what = typeof at.at(-1) === "number" ? "this entry" : name;
  const make = (message: string, remedy: string, path: FieldPath = at, atKey = false): SchemaProblem => {
    const own = atKey ? undefined : parent["x-remedy"];
    return { path, message, remedy: typeof own === "string" ? own : remedy, atKey };
  };
  switch (error.keyword) {
    case "required": {
      const missing = String(params["missingProperty"]);
      const wanted = isRecord(parent["properties"]) ? parent["properties"][missing] : undefined;
      return {
        path: [...at, missing],
        message: `${missing} is missing`,
        remedy: `add ${missing}${describeSchema(wanted)}`,
        atKey: false,
      };
    }
    case "additionalProperties": {
      const unknown = String(params["additionalProperty"]);
      const known = isRecord(parent["properties"]) ? Object.keys(parent["properties"]) : [];
      const meant = closest(unknown, known);
      const remedy = meant !== undefined ? `did you mean ${meant}?` : `known fields here: ${list(known)}`;
      return make(`unknown field ${quote(unknown)}`, remedy, [...at, unknown], true);
    }
    case "enum": {
      const allowed = Array.isArray(params["allowedValues"]) ? params["allowedValues"].map(String) : [];
      const meant = typeof error.data === "string" ? closest(error.data, allowed) : undefined;
      return make(
        `${what} is ${show(error.data)}, which is not one of its values`,
        meant !== undefined ? `did you mean ${meant}? Values: ${list(allowed)}` : `use one of: ${list(allowed)}`,
      );
    }
    case "const":
      return make(`${what} is ${show(error.data)}`, `use ${show(params["allowedValue"])}`);
    case "type": {
      const wanted = [params["type"]].flat().map((type) => typeWord(String(type)));
      return make(`${what} must be ${wanted.join(" or ")}, not ${kindOf(error.data)}`, typeRemedy(error.data, wanted));
    }
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return make(
        `${what} is ${show(error.data)}`,
        `use a number ${String(params["comparison"])} ${String(params["limit"])}${range(parent)}`,
      );
    case "minLength":
      return make(`${what} is too short`, `use at least ${count(params["limit"], "character")}`);
    case "maxLength":
      return make(`${what} is too long`, `use at most ${count(params["limit"], "character")}`);
    case "minItems":
      return make(`${what} has too few entries`, `give at least ${count(params["limit"], "entry")}`);
    case "maxItems":
      return make(`${what} has too many entries`, `give at most ${count(params["limit"], "entry")}`);
    case "minProperties":
      return make(`${what} has too few fields`, `give at least ${count(params["limit"], "field")}`);
    case "maxProperties":
      return make(`${what} has too many fields`, `give at most ${count(params["limit"], "field")}`);
    case "uniqueItems":
      return make(
        `entries ${String(params["j"])} and ${String(params["i"])} of ${what} are the same`,
        "keep one of them",
      );
    case "pattern":
      return make(
        `${what} is ${show(error.data)}, which does not have the right form`,
        `match ${String(params["pattern"])}`,
      );
    case "format":
      return make(
        `${what} is ${show(error.data)}, which is not ${formatWord(String(params["format"]))}`,
        formatRemedy(String(params["format"])),
      );
    case "propertyNames":
      return make(
        `${quote(String(params["propertyName"]))} is not a valid key here`,
        "correct the key",
        [...at, String(params["propertyName"])],
        true,
      );
    case "oneOf":
      return make(`${what} must be exactly one of its forms`, "give exactly one of the alternatives");
    case "anyOf":
      return make(`${what} has none of its forms`, "give one of the alternatives");
    case "not":
      return make(`${what} has a form that is not allowed`, "see the reference of this kind");
    default:
      return make(`${what} ${error.message ?? "is not valid"}`, "see the reference of this kind");
  }
}

function describeSchema(schema: unknown): string {
  if (!isRecord(schema)) return "";
  if (Array.isArray(schema["enum"])) return `, one of: ${list(schema["enum"].map(String))}`;
  const type = schema["type"];
  return typeof type === "string" ? `, ${typeWord(type)}` : "";
}

function range(schema: Readonly<Record<string, unknown>>): string {
  const { minimum, maximum } = schema;
  return typeof minimum === "number" && typeof maximum === "number" ? `; ${minimum} to ${maximum}` : "";
}

function typeWord(type: string): string {
  switch (type) {
    case "string":
      return "text";
    case "integer":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
      return "a map";
    default:
      return type;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? `text (${quote(value)})` : show(value);
}

function typeRemedy(value: unknown, wanted: readonly string[]): string {
  const numeric = wanted.includes("a whole number") || wanted.includes("a number");
  if (typeof value === "string" && numeric && /^-?[0-9]+$/.test(value)) return `write ${value} without quotes`;
  if (wanted.includes("text") && (typeof value === "number" || typeof value === "boolean"))
    return `write it in quotes: "${value}"`;
  if (wanted.includes("a list") && value !== null)
    return 'write it as a list: each entry on a line of its own that starts with "- "';
  return `write ${wanted.join(" or ")} here`;
}

function formatWord(format: string): string {
  switch (format) {
    case "duration":
      return "a duration";
    case "dns-label":
      return "a DNS label";
    case "dns-subdomain":
      return "a DNS name";
    default:
      return `of the format ${format}`;
  }
}

function formatRemedy(format: string): string {
  switch (format) {
    case "duration":
      return 'write digits and a unit (h, m, s, ms), for example "1h30m" or "500ms"';
    case "dns-label":
      return "use 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit";
    case "dns-subdomain":
      return "use at most 253 of a-z, 0-9, - and ., each part starting and ending with a letter or digit";
    default:
      return `write a value of the format ${format}`;
  }
}

function list(words: readonly string[]): string {
  if (words.length === 0) return "none";
  const shown = words.slice(0, 30).join(", ");
  return words.length > 30 ? `${shown}, and ${words.length - 30} more` : shown;
}

function count(limit: unknown, noun: string): string {
  const plural = noun === "entry" ? "entries" : `${noun}s`;
  return `${String(limit)} ${limit === 1 ? noun : plural}`;
}

function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  return shorten(JSON.stringify(value) ?? "nothing");
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
