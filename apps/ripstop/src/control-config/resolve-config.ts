// The one configuration that flags, environment and file make: flags before environment before file before defaults,
// checked as a resource is, with every violation at the place where its value comes from.

import {
  closest,
  compileSchema,
  controlPlaneConfigKind,
  formatPath,
  isRecord,
  KindRegistry,
  parsePath,
  readSource,
  validateAll,
  type ControlPlaneConfigSpec,
  type Violation,
} from "@ripstop/resources";
import { err, ok, type Result } from "@ripstop/core";
import { optionOf, settings, type Setting } from "./settings.ts";

/** Where values come from. */
export interface ConfigSources {
  /** Values of the flags that were given, by commander's names. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The file of --config. */
  readonly file?: { readonly name: string; readonly text: string };
}

/** What holds. */
export interface ControlConfig {
  readonly spec: ControlPlaneConfigSpec;
  /** Of every value that is set, where it comes from: "--api-address", "RIPSTOP_CONTROL_API_ADDRESS", a file, "default". */
  readonly origins: Readonly<Record<string, string>>;
}

const PREFIX = "RIPSTOP_CONTROL_";
const checker = compileSchema(controlPlaneConfigKind.schema);

/** Merges and checks; all violations at once. */
export function resolveConfig({
  flags,
  environment,
  file,
}: ConfigSources): Result<ControlConfig, readonly Violation[]> {
  const spec: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  if (file !== undefined) {
    const read = readFile(file);
    if (!read.ok) return read;
    for (const { path } of settings) {
      const value = valueAt(read.value, path);
      if (value !== undefined) set(spec, path, value);
      if (value !== undefined) origins.set(path.join("."), file.name);
    }
  }
  const violations: Violation[] = unknownVariables(environment);
  for (const setting of settings) {
    const { path, flag, variable } = setting;
    const text = environment[variable];
    const given = flags[optionOf(flag)];
    const chosen =
      given !== undefined ? ([given, flag] as const) : text !== undefined ? ([text, variable] as const) : undefined;
    if (chosen === undefined) continue;
    set(spec, path, valueOf(chosen[0], setting));
    origins.set(path.join("."), chosen[1]);
  }
  const problems = checker.check(spec);
  const resource = {
    apiVersion: controlPlaneConfigKind.apiVersion,
    kind: controlPlaneConfigKind.kind,
    metadata: {
      name: "control",
      namespace: "",
      labels: {},
      annotations: {},
      uid: "",
      generation: 0,
      resourceVersion: "",
      creationTimestamp: "",
    },
    // The schema has been checked: what it lets through is of this shape.
    spec: spec as unknown as ControlPlaneConfigSpec,
  };
  const found =
    problems.length > 0
      ? problems.map(({ path, message, remedy }) => ({ path: formatPath(["spec", ...path]), message, remedy }))
      : controlPlaneConfigKind.validate(resource);
  for (const violation of found) violations.push({ ...violation, resource: originOf(violation.path, origins) });
  if (violations.length > 0) return err(violations);
  for (const { path } of settings) {
    const name = path.join(".");
    if (valueAt(spec, path) !== undefined && !origins.has(name)) origins.set(name, "default");
  }
  return ok({ spec: resource.spec, origins: Object.fromEntries(origins) });
}

/** The spec of the file, without defaults. */
function readFile({
  name,
  text,
}: {
  readonly name: string;
  readonly text: string;
}): Result<Readonly<Record<string, unknown>>, readonly Violation[]> {
  const { resources, violations } = validateAll([{ file: name, text }], {
    kinds: new KindRegistry([controlPlaneConfigKind]),
    current: { get: () => undefined, list: () => [] },
  });
  if (violations.length > 0) return err(violations);
  if (resources.length !== 1) {
    const message = resources.length === 0 ? "the file has no ControlPlaneConfig" : "the file has more than one";
    return err([{ path: "", message, remedy: "write one ControlPlaneConfig", resource: name }]);
  }
  // Read anew: validation has filled in the defaults, and those come last.
  const [document] = readSource(name, text).documents;
  const value = isRecord(document?.value) ? document.value["spec"] : undefined;
  return ok(isRecord(value) ? value : {});
}

function unknownVariables(environment: ConfigSources["environment"]): Violation[] {
  const known = new Set(settings.map(({ variable }) => variable));
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.has(name))
    .map((name) => {
      const near = closest(name, known);
      return {
        path: name,
        message: "there is no such setting",
        remedy: near === undefined ? "remove it" : `did you mean ${near}?`,
        resource: "environment",
      };
    });
}

/** A text of the command line or the environment as the schema wants it; what does not fit stays, for the schema to refuse. */
function valueOf(value: unknown, { schema }: Setting): unknown {
  const { type } = schema;
  if (type === "array") return typeof value === "string" ? value.split(",").map((part) => part.trim()) : value;
  if (typeof value !== "string") return value;
  if (type === "integer" && /^-?[0-9]{1,15}$/.test(value)) return Number(value);
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  return value;
}

function originOf(path: string, origins: ReadonlyMap<string, string>): string {
  const steps = parsePath(path).slice(1);
  for (let length = steps.length; length > 0; length--) {
    const origin = origins.get(steps.slice(0, length).join("."));
    if (origin !== undefined) return origin;
  }
  const prefix = steps.slice(0, -1).join(".");
  for (const [name, origin] of origins) if (prefix !== "" && name.startsWith(`${prefix}.`)) return origin;
  return "configuration";
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const step of path) found = isRecord(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  return found;
}

function set(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [step = "", ...rest] = path;
  if (rest.length === 0) {
    target[step] = value;
    return;
  }
  const next = target[step];
  const child: Record<string, unknown> = isRecord(next) ? { ...next } : {};
  set(child, rest, value);
  target[step] = child;
}
