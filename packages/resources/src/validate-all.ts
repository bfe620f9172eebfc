// Reads and validates whole files of resources: every violation of all of them at once, never just the first.

import { closest } from "./closest.ts";
import { formatPath, isRecord, parsePath, type FieldPath } from "./field-path.ts";
import type { KindRegistry, KnownKind } from "./kind-registry.ts";
import type { ResourceLookup } from "./kind.ts";
import { dnsLabelProblem, dnsSubdomainProblem, labelKeyProblem, labelValueProblem, quote } from "./names.ts";
import { resourceKey, resourceName, type Metadata, type Resource } from "./resource.ts";
import { readSourceSteps, type SourceDocument, type SourceLimits } from "./source-document.ts";
import type { SourcePosition, Violation } from "./violation.ts";

/** A file as the user gave it. */
export interface SourceText {
  readonly file: string;
  readonly text: string;
}

/** A resource that was read, and where it came from. */
export interface ReadResource {
  readonly resource: Resource;
  readonly source: SourcePosition;
}

/** All that was read and all that is wrong; apply only when there is no violation. */
export interface Validated {
  readonly resources: readonly ReadResource[];
  readonly violations: readonly Violation[];
}

/** The namespace of a resource that names none. */
export const DEFAULT_NAMESPACE = "default";

const MAX_VIOLATIONS = 1_000;
const TOP_FIELDS = ["apiVersion", "kind", "metadata", "spec", "status"];
const METADATA_FIELDS = [
  "name",
  "namespace",
  "labels",
  "annotations",
  "uid",
  "generation",
  "resourceVersion",
  "creationTimestamp",
];
// Fields that Kubernetes writes and that mean nothing here; read over, so that what "kubectl get -o yaml" gave can be applied.
const IGNORED_METADATA = new Set([
  "managedFields",
  "selfLink",
  "finalizers",
  "ownerReferences",
  "generateName",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
]);

/**
 * Validates all files: syntax, schema (defaults filled in), names, each kind's own rules, then references against
 * `current` as it would be with these resources applied. At most 1 000 violations are returned.
 */
export function validateAll(files: readonly SourceText[], context: ValidateContext): Validated {
  const steps = validateSteps(files, context);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** What files are validated with. */
export interface ValidateContext {
  readonly kinds: KindRegistry;
  readonly current: ResourceLookup;
  readonly limits?: Partial<SourceLimits>;
}

/** As `validateAll`, with a stop after each document: much can be validated in slices. */
export function* validateSteps(
  files: readonly SourceText[],
  context: ValidateContext,
): Generator<undefined, Validated> {
  const { kinds, current, limits } = context;
  const violations: Violation[] = [];
  const read: { resource: Resource; known: KnownKind; document: SourceDocument; sound: boolean }[] = [];
  const firstByKey = new Map<string, SourcePosition>();
  for (const { file, text } of files) {
    const source = yield* readSourceSteps(file, text, limits);
    violations.push(...source.violations);
    for (const document of source.documents) {
      yield undefined;
      const before = violations.length;
      const found = readResource(document, { kinds, current }, violations);
      if (found === undefined) continue;
      const key = resourceKey(found.resource);
      const position = document.positionOf([]);
      const first = firstByKey.get(key);
      if (first !== undefined) {
        violations.push({
          path: "metadata.name",
          message: `${label(found.resource)} was given already at ${first.file}:${first.line}`,
          remedy: "keep one of the two",
          resource: label(found.resource),
          source: document.positionOf(["metadata", "name"]),
        });
      }
      firstByKey.set(key, first ?? position);
      read.push({ ...found, document, sound: violations.length === before });
      yield;
    }
  }
  const lookup = overlay(
    current,
    read.map(({ resource }) => resource),
  );
  for (const { resource, known, document, sound } of read) {
    if (!sound || known.kind.validateReferences === undefined) continue;
    yield;
    for (const problem of known.kind.validateReferences(resource, lookup)) {
      violations.push({ ...problem, resource: label(resource), source: document.positionOf(parsePath(problem.path)) });
    }
  }
  return {
    resources: read.map(({ resource, document }) => ({ resource, source: document.positionOf([]) })),
    violations: violations.slice(0, MAX_VIOLATIONS),
  };
}

/** "HTTPRoute shop/catalog". */
export function label(resource: Resource): string {
  return `${resource.kind} ${resourceName(resource)}`;
}

function readResource(
  document: SourceDocument,
  { kinds, current }: { readonly kinds: KindRegistry; readonly current: ResourceLookup },
  violations: Violation[],
): { resource: Resource; known: KnownKind } | undefined {
  const { value } = document;
  let of = "";
  const report = (path: FieldPath, message: string, remedy: string, atKey = false): void => {
    violations.push({
      path: formatPath(path),
      message,
      remedy,
      resource: of,
      source: document.positionOf(path, atKey),
    });
  };
  if (!isRecord(value)) {
    report([], "the document is not a map", "write a resource: apiVersion, kind, metadata and spec");
    return undefined;
  }
  const metadata = isRecord(value["metadata"]) ? value["metadata"] : {};
  const { name, namespace } = metadata;
  if (typeof value["kind"] === "string" && typeof name === "string") {
    of = `${value["kind"]} ${typeof namespace === "string" ? `${namespace}/` : ""}${name}`;
  }
  const known = readKind(value, kinds, report);
  if (known === undefined) return undefined;
  const { kind, checker } = known;
  const namespaceText = kind.namespaced ? (typeof namespace === "string" ? namespace : DEFAULT_NAMESPACE) : "";
  if (typeof name === "string") of = `${kind.kind} ${namespaceText === "" ? "" : `${namespaceText}/`}${name}`;
  const { bodyFields } = kind;
  const topFields = bodyFields === undefined ? TOP_FIELDS : ["apiVersion", "kind", "metadata", ...bodyFields];
  for (const field of Object.keys(value)) {
    if (topFields.includes(field)) continue;
    report([field], `unknown field ${quote(field)}`, meant(field, topFields), true);
  }
  const readMetadata = readMeta(value["metadata"], kind.namespaced, report);
  const spec: unknown = bodyFields === undefined ? (value["spec"] ?? {}) : pick(value, bodyFields);
  const inDocument = (path: FieldPath): FieldPath => (bodyFields === undefined ? ["spec", ...path] : path);
  const problems = checker.check(spec);
  for (const problem of problems) report(inDocument(problem.path), problem.message, problem.remedy, problem.atKey);
  if (readMetadata === undefined) return undefined;
  const resource: Resource = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: readMetadata, spec };
  if (problems.length === 0) {
    const own = kind.validate(resource).map((problem) => ({ ...problem, path: parsePath(problem.path) }));
    for (const { path, message, remedy } of own) report(path, message, remedy);
    const old = current.get(kind.kind, readMetadata.namespace, readMetadata.name)?.spec;
    for (const problem of checker.checkRules(spec, old)) {
      const path = inDocument(problem.path);
      // What the kind's own rules said at that place is said in plainer words.
      if (!own.some((said) => isWithin(said.path, path) || isWithin(path, said.path)))
        report(path, problem.message, problem.remedy);
    }
  }
  return { resource, known };
}

/** Whether `path` is `outer` or below it. */
function isWithin(path: FieldPath, outer: FieldPath): boolean {
  return outer.length <= path.length && outer.every((step, index) => path[index] === step);
}

function pick(value: Readonly<Record<string, unknown>>, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    fields.filter((field) => value[field] !== undefined && value[field] !== null).map((field) => [field, value[field]]),
  );
}

type Report = (path: FieldPath, message: string, remedy: string, atKey?: boolean) => void;

function readKind(
  value: Readonly<Record<string, unknown>>,
  kinds: KindRegistry,
  report: Report,
): KnownKind | undefined {
  const { apiVersion, kind } = value;
  if (typeof kind !== "string") {
    report(["kind"], kind === undefined ? "kind is missing" : "kind must be text", `use one of: ${kindList(kinds)}`);
    return undefined;
  }
  const known = kinds.get(kind);
  if (known === undefined) {
    const near = kinds.closest(kind);
    report(
      ["kind"],
      `unknown kind ${quote(kind)}`,
      near !== undefined ? `did you mean ${near}?` : `use one of: ${kindList(kinds)}`,
    );
    return undefined;
  }
  const versions: readonly unknown[] = [known.kind.apiVersion, ...(known.kind.otherVersions ?? [])];
  if (!versions.includes(apiVersion)) {
    const message =
      apiVersion === undefined
        ? "apiVersion is missing"
        : `apiVersion is ${typeof apiVersion === "string" ? quote(apiVersion) : "not text"}`;
    report(["apiVersion"], message, `${kind} needs apiVersion: ${known.kind.apiVersion}`);
  }
  return known;
}

function readMeta(value: unknown, namespaced: boolean, report: Report): Metadata | undefined {
  if (!isRecord(value)) {
    report(
      ["metadata"],
      value === undefined ? "metadata is missing" : "metadata must be a map",
      "add metadata with a name",
    );
    return undefined;
  }
  for (const field of Object.keys(value)) {
    if (METADATA_FIELDS.includes(field) || IGNORED_METADATA.has(field)) continue;
    report(["metadata", field], `unknown field ${quote(field)}`, meant(field, METADATA_FIELDS), true);
  }
  const { name, namespace, resourceVersion } = value;
  let usable = true;
  if (typeof name !== "string") {
    report(
      ["metadata", "name"],
      name === undefined ? "name is missing" : "name must be text",
      "add metadata.name, a DNS name such as catalog",
    );
    usable = false;
  } else {
    const problem = dnsSubdomainProblem(name, "the name");
    if (problem) report(["metadata", "name"], problem.message, problem.remedy);
  }
  if (namespace !== undefined && !namespaced && namespace !== "") {
    report(["metadata", "namespace"], "this kind does not live in a namespace", "remove metadata.namespace");
  } else if (namespace !== undefined && typeof namespace !== "string") {
    report(["metadata", "namespace"], "namespace must be text", "write the namespace's name, such as shop");
  } else if (typeof namespace === "string" && namespaced) {
    const problem = dnsLabelProblem(namespace, "the namespace");
    if (problem) report(["metadata", "namespace"], problem.message, problem.remedy);
  }
  const labels = readTextMap(value["labels"], ["metadata", "labels"], report, labelValueProblem);
  const annotations = readTextMap(value["annotations"], ["metadata", "annotations"], report, () => undefined);
  const size = Object.entries(annotations).reduce((sum, [key, text]) => sum + key.length + text.length, 0);
  if (size > 262_144)
    report(["metadata", "annotations"], `the annotations have ${size} characters`, "use at most 262144 together");
  if (!usable || typeof name !== "string") return undefined;
  return {
    name,
    namespace: namespaced ? (typeof namespace === "string" ? namespace : DEFAULT_NAMESPACE) : "",
    labels,
    annotations,
    uid: "",
    generation: 0,
    resourceVersion: typeof resourceVersion === "string" ? resourceVersion : "",
    creationTimestamp: "",
  };
}

function readTextMap(
  value: unknown,
  path: FieldPath,
  report: Report,
  valueProblem: (text: string) => { readonly message: string; readonly remedy: string } | undefined,
): Record<string, string> {
  const map: Record<string, string> = {};
  if (value === undefined || value === null) return map;
  if (!isRecord(value)) {
    report(path, `${String(path.at(-1))} must be a map of text to text`, "write each as key: value");
    return map;
  }
  for (const [key, text] of Object.entries(value)) {
    const at = [...path, key];
    const keyProblem = labelKeyProblem(key);
    if (keyProblem) {
      report(at, keyProblem.message, keyProblem.remedy, true);
      continue;
    }
    if (typeof text !== "string") {
      report(
        at,
        `the value of ${quote(key)} must be text`,
        typeof text === "number" || typeof text === "boolean" ? `write it in quotes: "${text}"` : "write text",
      );
      continue;
    }
    const problem = valueProblem(text);
    if (problem) report(at, problem.message, problem.remedy);
    map[key] = text;
  }
  return map;
}

function overlay(current: ResourceLookup, added: readonly Resource[]): ResourceLookup {
  const byKey = new Map(added.map((resource) => [resourceKey(resource), resource]));
  return {
    get(kind, namespace, name) {
      return (
        byKey.get(`${kind}/${namespace === "" ? name : `${namespace}/${name}`}`) ?? current.get(kind, namespace, name)
      );
    },
    *list(kind) {
      for (const resource of current.list(kind)) if (!byKey.has(resourceKey(resource))) yield resource;
      for (const resource of byKey.values()) if (resource.kind === kind) yield resource;
    },
  };
}

function kindList(kinds: KindRegistry): string {
  return kinds
    .list()
    .map(({ kind }) => kind)
    .join(", ");
}

function meant(field: string, known: readonly string[]): string {
  const near = closest(field, known);
  return near !== undefined ? `did you mean ${near}?` : `known fields here: ${known.join(", ")}`;
}
