// What became of one listener of a Gateway or ListenerSet: its protocol, the kinds of route that it takes, its certificates,
// and how it checks clients.

import type { Resource } from "@ripstop/resources";

import { readKeyPair, readRoots, type PemKeyPair, type ReferenceFacts, type ReferenceProblem } from "./certificates.ts";
import { condition, GATEWAY_GROUP, type Condition } from "./condition.ts";
import type { Conflict } from "./conflicts.ts";
import {
  EGRESS_PROTOCOL,
  type GatewaySpec,
  type ListenerSetSpec,
  type ListenerSpec,
  type NamespacesFrom,
} from "./spec.ts";

/** One listener and what became of it. */
export interface JudgedListener {
  /** Unique in the Gateway: NAME, or NAMESPACE/LISTENERSET/NAME. */
  readonly key: string;
  readonly name: string;
  /** The Gateway or ListenerSet that it stands in. */
  readonly owner: { readonly kind: "Gateway" | "ListenerSet"; readonly namespace: string; readonly name: string };
  readonly port: number;
  readonly protocol: string;
  readonly mode: "Terminate" | "Passthrough";
  /** Lower case; "" for all. */
  readonly hostname: string;
  readonly allowedNamespaces: NamespacesFrom;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  /** Accepted, Programmed, ResolvedRefs and Conflicted. */
  readonly conditions: readonly Condition[];
  readonly isAccepted: boolean;
  /** Its proxy opens it. */
  readonly isProgrammed: boolean;
  readonly certificates: readonly PemKeyPair[];
  readonly validation?: { readonly rootsPem: string; readonly mode: "AllowValidOnly" | "AllowInsecureFallback" };
}

/** A listener and the resource that it stands in. */
export interface ListenerEntry {
  readonly spec: ListenerSpec;
  readonly owner: Resource<GatewaySpec | ListenerSetSpec>;
}

const ROUTE_KINDS: Readonly<Record<string, readonly string[]>> = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  HTTPS: ["HTTPRoute", "GRPCRoute"],
  TLS: ["TLSRoute"],
  TCP: ["TCPRoute"],
  UDP: ["UDPRoute"],
  [EGRESS_PROTOCOL]: ["ExternalService"],
};

/** What attaches to listeners is of the Gateway API, but for what is led out of the mesh. */
function groupOf(kind: string): string {
  return kind === "ExternalService" ? "ripstop.mesh" : GATEWAY_GROUP;
}

/** What a listener is judged with. */
export interface ListenerContext {
  readonly gateway: Resource<GatewaySpec>;
  readonly facts: ReferenceFacts;
  /** With another listener of the Gateway. */
  readonly conflict: Conflict | undefined;
}

/** Judges one listener. */
export function judgeListener({ spec, owner }: ListenerEntry, context: ListenerContext): JudgedListener {
  const { gateway, facts, conflict } = context;
  const at = condition(owner);
  const isOwn = owner === gateway;
  const { namespace, name } = owner.metadata;
  const possible = Object.hasOwn(ROUTE_KINDS, spec.protocol) ? (ROUTE_KINDS[spec.protocol] ?? []) : [];
  const kinds = judgeKinds(spec, possible);
  const certificates = judgeCertificates(spec, owner, facts);
  const validation = judgeValidation(spec, gateway, facts);
  const refusal = refuse(spec, { isSupported: possible.length > 0, conflict, noRoots: validation.isFatal });
  const unresolved = kinds.problem ?? certificates.problem ?? validation.problem;
  const isAccepted = refusal === undefined;
  const opens = !isAccepted
    ? "the listener is not accepted"
    : spec.protocol === "UDP"
      ? "UDP is not carried yet"
      : kinds.supported.length === 0
        ? "no kind of route may be attached"
        : certificates.isNeeded && certificates.pairs.length === 0
          ? "there is no usable certificate"
          : undefined;
  const mode = spec.protocol === "TLS" ? (spec.tls?.mode ?? "Terminate") : "Terminate";
  return {
    key: isOwn ? spec.name : `${namespace}/${name}/${spec.name}`,
    name: spec.name,
    owner: { kind: isOwn ? "Gateway" : "ListenerSet", namespace, name },
    port: spec.port,
    protocol: spec.protocol,
    mode,
    hostname: hostnameOf(spec),
    allowedNamespaces: spec.allowedRoutes.namespaces,
    supportedKinds: kinds.supported.map((kind) => ({ group: groupOf(kind), kind })),
    conditions: [
      refusal === undefined
        ? at("Accepted", true, "Accepted", "the listener is valid")
        : at("Accepted", false, refusal.reason, refusal.message),
      conflict === undefined
        ? at("Conflicted", false, "NoConflicts", "no other listener claims the same")
        : at("Conflicted", true, conflict, CONFLICT_MESSAGES[conflict]),
      unresolved === undefined
        ? at("ResolvedRefs", true, "ResolvedRefs", "everything that it names is there")
        : at("ResolvedRefs", false, unresolved.reason, unresolved.message),
      opens === undefined
        ? at("Programmed", true, "Programmed", "its proxies are told to open it")
        : at("Programmed", false, isAccepted ? "Invalid" : (conflict ?? "Invalid"), opens),
    ],
    isAccepted,
    isProgrammed: opens === undefined,
    certificates: certificates.pairs,
    ...(validation.value === undefined ? {} : { validation: validation.value }),
  };
}

const CONFLICT_MESSAGES: Readonly<Record<Conflict, string>> = {
  HostnameConflict: "another listener on this port has the same host name",
  ProtocolConflict: "another listener on this port has a protocol that cannot share it",
};

/** Why something is refused, as a condition says it. */
export interface Reasoned {
  readonly reason: string;
  readonly message: string;
}

function refuse(
  { protocol }: ListenerSpec,
  { isSupported, conflict, noRoots }: { isSupported: boolean; conflict: Conflict | undefined; noRoots: boolean },
): Reasoned | undefined {
  if (!isSupported) return { reason: "UnsupportedProtocol", message: `the protocol ${protocol} is not known` };
  if (conflict !== undefined) return { reason: conflict, message: CONFLICT_MESSAGES[conflict] };
  if (noRoots) return { reason: "NoValidCACertificate", message: "there is no usable CA to check clients with" };
  return undefined;
}

function judgeKinds(
  { allowedRoutes, protocol }: ListenerSpec,
  possible: readonly string[],
): { readonly supported: readonly string[]; readonly problem: Reasoned | undefined } {
  const wanted = allowedRoutes.kinds ?? [];
  if (wanted.length === 0 || possible.length === 0) return { supported: possible, problem: undefined };
  const isKnown = ({ group, kind }: { group: string; kind: string }): boolean =>
    group === groupOf(kind) && possible.includes(kind);
  const supported = [...new Set(wanted.filter(isKnown).map(({ kind }) => kind))];
  const unknown = wanted.filter((kind) => !isKnown(kind)).map(({ kind }) => kind);
  const message = `a listener for ${protocol} takes ${possible.join(" and ")}, not ${unknown.join(", ")}`;
  return { supported, problem: unknown.length === 0 ? undefined : { reason: "InvalidRouteKinds", message } };
}

function judgeCertificates(
  spec: ListenerSpec,
  owner: Resource,
  facts: ReferenceFacts,
): { readonly isNeeded: boolean; readonly pairs: readonly PemKeyPair[]; readonly problem: Reasoned | undefined } {
  const ends = spec.protocol === "HTTPS" || (spec.protocol === "TLS" && spec.tls?.mode !== "Passthrough");
  if (!ends) return { isNeeded: false, pairs: [], problem: undefined };
  const refs = spec.tls?.certificateRefs ?? [];
  const from = { kind: owner.kind, namespace: owner.metadata.namespace };
  const pairs: PemKeyPair[] = [];
  let problem: Reasoned | undefined;
  if (refs.length === 0) problem = { reason: "InvalidCertificateRef", message: "the listener names no certificate" };
  for (const ref of refs) {
    const read = readKeyPair(ref, from, facts);
    if (read.ok) pairs.push(read.value);
    else problem ??= { reason: certificateReason(read.error), message: read.error.message };
  }
  return { isNeeded: true, pairs, problem };
}

function certificateReason({ cause }: ReferenceProblem): string {
  return cause === "not-permitted" ? "RefNotPermitted" : "InvalidCertificateRef";
}

interface JudgedValidation {
  readonly value?: JudgedListener["validation"] & object;
  readonly problem: Reasoned | undefined;
  /** Clients were to be checked, and there is nothing to check them with. */
  readonly isFatal: boolean;
}

/** Checks of client certificates: by port, else the Gateway's default; for HTTPS only (GEP-91). */
function judgeValidation(spec: ListenerSpec, gateway: Resource<GatewaySpec>, facts: ReferenceFacts): JudgedValidation {
  const validation = spec.protocol === "HTTPS" ? validationOf(gateway.spec, spec.port) : undefined;
  if (validation === undefined) return { problem: undefined, isFatal: false };
  const from = { kind: "Gateway", namespace: gateway.metadata.namespace };
  const roots: string[] = [];
  let problem: Reasoned | undefined;
  for (const ref of validation.caCertificateRefs) {
    const read = readRoots(ref, from, facts);
    if (read.ok) roots.push(read.value);
    else problem ??= { reason: rootsReason(read.error), message: read.error.message };
  }
  if (roots.length === 0) return { problem, isFatal: true };
  return { problem, isFatal: false, value: { rootsPem: roots.join(""), mode: validation.mode } };
}

function rootsReason({ cause }: ReferenceProblem): string {
  if (cause === "not-permitted") return "RefNotPermitted";
  return cause === "kind" ? "InvalidCACertificateKind" : "InvalidCACertificateRef";
}

type Validation = NonNullable<NonNullable<NonNullable<GatewaySpec["tls"]>["frontend"]>["default"]["validation"]>;

function validationOf({ tls }: GatewaySpec, port: number): Validation | undefined {
  const frontend = tls?.frontend;
  const override = frontend?.perPort?.find((entry) => entry.port === port);
  return override === undefined ? frontend?.default.validation : override.tls.validation;
}

/** The host name that counts: lower case; "" for all, and where the protocol knows none. */
export function hostnameOf({ hostname = "", protocol }: ListenerSpec): string {
  return protocol === "TCP" || protocol === "UDP" ? "" : hostname.toLowerCase();
}
