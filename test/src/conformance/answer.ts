// Compares what came back with what must come back. Pure.

import type { Echo } from "./backend-program.ts";
import type { Expected, Metadata, StatusStep } from "./case.ts";

/** What came back; status 0 is a failed connection. */
export interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly grpc?: number;
}

/** What the backend says that it was asked; undefined when no backend answered. */
export function echoOf({ body }: Pick<Seen, "body">): Echo | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && "pod" in value ? (value as Echo) : undefined;
  } catch {
    return undefined;
  }
}

/** The backend's name: the pod's without its last two parts; of plain text its first word. "" when no backend answered. */
export function backendOf(seen: Pick<Seen, "body">): string {
  const echo = echoOf(seen);
  if (echo !== undefined) return echo.pod.split("-").slice(0, -2).join("-");
  return /^(\S+) (?:over TLS )?got /.exec(seen.body)?.[1] ?? "";
}

/** What is not as it must be, a sentence each; empty when all is. */
export function differences(expected: Expected, seen: Seen): readonly string[] {
  if (expected.failed === true) return seen.status === 0 ? [] : [`the connection worked: ${shown(seen)}`];
  if (seen.status === 0) return [`failed: ${seen.body}`];
  const problems: string[] = [];
  const check = (what: string, wanted: unknown, got: unknown): void => {
    if (wanted !== undefined && !among(wanted, got)) problems.push(`${what} is ${text(got)}, not ${text(wanted)}`);
  };
  const echo = echoOf(seen);
  check("status", expected.grpc === undefined ? (expected.status ?? 200) : undefined, seen.status);
  check("grpc-status", expected.grpc, seen.grpc);
  check("backend", expected.backend, backendOf(seen));
  check("body", expected.body, seen.body);
  check("path at the backend", expected.path, echo?.path);
  check("host at the backend", expected.host, echo?.host);
  check("protocol at the backend", expected.protocol, echo?.proto);
  check("server name at the backend", expected.serverName, echo?.tls?.serverName ?? null);
  check("client certificate at the backend", expected.clientNames, echo?.tls?.clientNames);
  for (const [name, wanted] of Object.entries(expected.headers ?? {})) check(name, wanted, joined(seen.headers, name));
  for (const [name, wanted] of Object.entries(expected.got ?? {}))
    check(`${name} at the backend`, wanted, echo === undefined ? "no echo" : joined(echo.headers, name));
  return problems.length === 0 ? [] : [...problems, shown(seen)];
}

/** What a resource's status does not say as it must. */
export function statusDifferences(step: StatusStep, found: unknown): readonly string[] {
  const generation = at(found, "metadata.generation");
  const part = partOf(at(found, "status"), step.at ?? "");
  if (part === undefined) return [`there is no status ${step.at ?? ""}: ${short(at(found, "status"))}`];
  const conditions = at(part, "conditions");
  const list: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  const problems = (step.conditions ?? []).flatMap((wanted) => conditionDifference(wanted, list, generation));
  for (const [field, wanted] of Object.entries(step.fields ?? {})) {
    const got = at(part, field);
    if (JSON.stringify(got) !== JSON.stringify(wanted))
      problems.push(`${field} is ${short(got)}, not ${short(wanted)}`);
  }
  return problems;
}

function conditionDifference(wanted: string, list: readonly unknown[], generation: unknown): readonly string[] {
  const [, not = "", type = "", status = "", reason] = /^(!?)([^=]+)(?:=([^/]+)(?:\/(.+))?)?$/.exec(wanted) ?? [];
  const found = list.find((one) => at(one, "type") === type);
  if (not !== "") return at(found, "status") === "True" ? [`${type} is True`] : [];
  const got = `${String(at(found, "status"))}/${String(at(found, "reason"))}`;
  const right =
    reason === undefined ? got.startsWith(`${status}/`) : reason.split("|").some((one) => got === `${status}/${one}`);
  if (!right) return [`${type} is ${got}, not ${status}/${reason ?? "..."}: ${String(at(found, "message"))}`];
  if (generation !== undefined && at(found, "observedGeneration") !== generation)
    return [`${type} is of generation ${short(at(found, "observedGeneration"))}, not ${short(generation)}`];
  return [];
}

/** The shares of each name in percent that are too far from what they must be. */
export function shareDifferences(
  of: Readonly<Record<string, number>>,
  counts: ReadonlyMap<string, number>,
  within: number,
): readonly string[] {
  let all = 0;
  for (const count of counts.values()) all += count;
  return [...new Set([...Object.keys(of), ...counts.keys()])].flatMap((name) => {
    const share = (100 * (counts.get(name) ?? 0)) / Math.max(all, 1);
    const wanted = of[name] ?? 0;
    const allowed = wanted === 0 || wanted === 100 ? 0 : within;
    return Math.abs(share - wanted) <= allowed
      ? []
      : [`${name || "no backend"} got ${share.toFixed(1)} %, not ${wanted} %`];
  });
}

function partOf(status: unknown, where: string): unknown {
  const named = /^(listeners)\.(.+)$/.exec(where);
  if (named === null) return where === "" ? status : at(status, where);
  const listeners = at(status, "listeners");
  return Array.isArray(listeners) ? listeners.find((one: unknown) => at(one, "name") === named[2]) : undefined;
}

function at(value: unknown, path: string): unknown {
  let current = value;
  for (const key of path.split(".")) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Readonly<Record<string, unknown>>)[key];
  }
  return current;
}

function joined(headers: Seen["headers"], name: string): string | null {
  const found = Object.entries(headers).filter(([field]) => field.toLowerCase() === name.toLowerCase());
  return found.length === 0 ? null : found.flatMap(([, value]) => value ?? []).join(",");
}

function among(wanted: unknown, got: unknown): boolean {
  if (Array.isArray(wanted)) return wanted.includes(got);
  if (wanted instanceof RegExp) return typeof got === "string" && wanted.test(got);
  return wanted === got;
}

function text(value: unknown): string {
  return value instanceof RegExp ? String(value) : value === undefined ? "nothing" : short(value);
}

function short(value: unknown): string {
  const all = JSON.stringify(value) ?? "nothing";
  return all.length > 600 ? `${all.slice(0, 600)}...` : all;
}

function shown({ status, body }: Seen): string {
  return `(${status} ${body.slice(0, 160)})`;
}

/** What was made for a Gateway. */
export interface Generated {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** How what was made for a Gateway differs from what the Gateway says; nothing made is a difference. */
export function generatedDifferences(
  {
    generated,
    labels,
    annotations,
  }: { readonly generated: string; readonly labels: Metadata; readonly annotations: Metadata },
  found: readonly Generated[],
): readonly string[] {
  if (found.length === 0) return [`nothing has the label of the Gateway ${generated}`];
  const compare = (id: string, wanted: Metadata, has: Readonly<Record<string, string>>): readonly string[] =>
    Object.entries(wanted).flatMap(([key, value]) =>
      (has[key] ?? null) === value ? [] : [`${key} of ${id} is ${String(has[key])}, not ${String(value)}`],
    );
  return found.flatMap((one) => [
    ...compare(one.id, labels, one.labels),
    ...compare(one.id, annotations, one.annotations),
  ]);
}
