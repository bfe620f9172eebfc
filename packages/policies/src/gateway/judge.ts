// What became of a Gateway: its listeners with those of its ListenerSets, judged by the rules of the Gateway API v1.6.1.
// Knows nothing of routes, so that a route's change never judges a listener again.

import type { Resource } from "@ripstop/resources";

import type { GatewayClassSpec } from "../gateway-class/index.ts";
import { readKeyPair, type PemKeyPair, type ReferenceFacts } from "./certificates.ts";
import { condition, CONTROLLER_NAME, DEFAULT_CLASS, type Condition } from "./condition.ts";
import { findConflicts } from "./conflicts.ts";
import { hostnameOf, judgeListener, type JudgedListener, type ListenerEntry, type Reasoned } from "./judge-listener.ts";
import { selectsLabels } from "./labels.ts";
import type { GatewaySpec, ListenerSetSpec, NamespacesFrom } from "./spec.ts";

/** What judging a Gateway reads. */
export interface GatewayFacts extends ReferenceFacts {
  gatewayClass(name: string): Resource<GatewayClassSpec> | undefined;
  /** Those that name the Gateway as their parent. */
  listenerSets(): readonly Resource<ListenerSetSpec>[];
  namespaceLabels(namespace: string): Readonly<Record<string, string>>;
}

/** A ListenerSet and what became of it. */
export interface JudgedListenerSet {
  readonly namespace: string;
  readonly name: string;
  readonly isAccepted: boolean;
  readonly conditions: readonly Condition[];
}

/** A Gateway and what became of it. */
export interface GatewayView {
  readonly namespace: string;
  readonly name: string;
  /** Its class is ours, or is not there at all. Otherwise somebody else looks after it. */
  readonly isOurs: boolean;
  readonly conditions: readonly Condition[];
  /** The usable addresses that it asks for. */
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  /** In order of precedence. */
  readonly listeners: readonly JudgedListener[];
  readonly listenerSets: readonly JudgedListenerSet[];
  readonly backendClientCertificate?: PemKeyPair;
  /** Clients may say how important their requests are. */
  readonly trustsPriority?: boolean;
}

/** Annotation of a Gateway: "true" leaves the field x-request-priority as the client wrote it. */
const TRUST_PRIORITY_ANNOTATION = "ripstop.mesh/trust-request-priority";

/** Judges a Gateway with everything that belongs to its listeners. */
export function judgeGateway(gateway: Resource<GatewaySpec>, facts: GatewayFacts): GatewayView {
  const { namespace, name } = gateway.metadata;
  const at = condition(gateway);
  const base = { namespace, name, addresses: [], listeners: [], listenerSets: [] };
  const className = gateway.spec.gatewayClassName;
  const gatewayClass = facts.gatewayClass(className);
  if (gatewayClass === undefined && className !== DEFAULT_CLASS) {
    const message = `there is no GatewayClass ${className}; ${DEFAULT_CLASS} is there without a resource`;
    const unknown = ["Accepted", "Programmed"].map((type) => at(type, undefined, "Pending", message));
    return { ...base, isOurs: true, conditions: unknown };
  }
  if (gatewayClass !== undefined && gatewayClass.spec.controllerName !== CONTROLLER_NAME)
    return { ...base, isOurs: false, conditions: [] };

  const sets = facts.listenerSets().toSorted(byAge);
  const allowed = sets.filter((set) => mayAddListeners(set, gateway, facts));
  const own = gateway.spec.listeners.map((spec): ListenerEntry => ({ spec, owner: gateway }));
  const added = allowed.flatMap((owner) => owner.spec.listeners.map((spec): ListenerEntry => ({ spec, owner })));
  const entries = [...own, ...added];
  const conflicts = findConflicts(
    entries.map(({ spec, owner }) => ({ ...spec, hostname: hostnameOf(spec), isOwn: owner === gateway })),
  );
  const listeners = entries.map((entry, index) => judgeListener(entry, { gateway, facts, conflict: conflicts[index] }));
  const client = judgeBackendCertificate(gateway, facts);
  const judged = judgeWhole(gateway, listeners, { gatewayClass, problem: client.problem });
  return {
    ...base,
    isOurs: true,
    listeners: judged.isAccepted ? listeners : listeners.map((listener) => ({ ...listener, isProgrammed: false })),
    listenerSets: sets.map((set) =>
      judgeListenerSet(set, listeners, { isAllowed: allowed.includes(set), isParentAccepted: judged.isAccepted }),
    ),
    conditions: judged.conditions,
    addresses: usableAddresses(gateway.spec),
    ...(client.pair === undefined ? {} : { backendClientCertificate: client.pair }),
    ...(gateway.metadata.annotations[TRUST_PRIORITY_ANNOTATION] === "true" ? { trustsPriority: true } : {}),
  };
}

/** Whether resources of `namespace` may attach to something of `ownNamespace`. */
export function isNamespaceAllowed(
  { from, selector }: NamespacesFrom,
  namespaces: { readonly own: string; readonly other: string },
  facts: Pick<GatewayFacts, "namespaceLabels">,
): boolean {
  switch (from) {
    case "All":
      return true;
    case "Same":
      return namespaces.own === namespaces.other;
    case "Selector":
      return selector !== undefined && selectsLabels(selector, facts.namespaceLabels(namespaces.other));
    case "None":
      return false;
  }
}

function mayAddListeners(set: Resource<ListenerSetSpec>, gateway: Resource<GatewaySpec>, facts: GatewayFacts): boolean {
  const from = gateway.spec.allowedListeners?.namespaces ?? { from: "None" };
  return isNamespaceAllowed(from, { own: gateway.metadata.namespace, other: set.metadata.namespace }, facts);
}

function judgeBackendCertificate(
  gateway: Resource<GatewaySpec>,
  facts: GatewayFacts,
): { readonly pair?: PemKeyPair; readonly problem: Reasoned | undefined } {
  const ref = gateway.spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return { problem: undefined };
  const read = readKeyPair(ref, { kind: "Gateway", namespace: gateway.metadata.namespace }, facts);
  if (read.ok) return { pair: read.value, problem: undefined };
  const reason = read.error.cause === "not-permitted" ? "RefNotPermitted" : "InvalidClientCertificateRef";
  return { problem: { reason, message: read.error.message } };
}

function judgeWhole(
  gateway: Resource<GatewaySpec>,
  listeners: readonly JudgedListener[],
  more: { readonly gatewayClass: Resource<GatewayClassSpec> | undefined; readonly problem: Reasoned | undefined },
): { readonly isAccepted: boolean; readonly conditions: readonly Condition[] } {
  const at = condition(gateway);
  const refusal = refuseWhole(gateway, listeners, more.gatewayClass);
  const bad = listeners.filter((listener) => !listener.isAccepted && listener.owner.kind === "Gateway");
  const accepted =
    refusal !== undefined
      ? at("Accepted", false, refusal.reason, refusal.message)
      : bad.length > 0
        ? at("Accepted", true, "ListenersNotValid", `not valid: ${bad.map(({ name }) => name).join(", ")}`)
        : at("Accepted", true, "Accepted", "the Gateway is valid");
  const opened = listeners.filter(({ isProgrammed }) => isProgrammed).length;
  const unusable = (gateway.spec.addresses ?? []).filter(({ type, value }) => type === "Hostname" || value === "");
  const programmed =
    refusal !== undefined || opened === 0
      ? at("Programmed", false, "Invalid", refusal?.message ?? "no listener can be opened")
      : unusable.some(({ value }) => value !== undefined && value !== "")
        ? at("Programmed", false, "AddressNotUsable", "an address that it asks for cannot be used")
        : at(
            "Programmed",
            true,
            "Programmed",
            `its proxies are told to open ${opened} of ${listeners.length} listeners`,
          );
  const unresolved = listeners.find(
    ({ owner, conditions }) =>
      owner.kind === "Gateway" && conditions.some(({ type, status }) => type === "ResolvedRefs" && status === "False"),
  );
  const resolved =
    more.problem !== undefined
      ? at("ResolvedRefs", false, more.problem.reason, more.problem.message)
      : unresolved !== undefined
        ? at("ResolvedRefs", false, "ListenersNotResolved", `see listener ${unresolved.name}`)
        : at("ResolvedRefs", true, "ResolvedRefs", "everything that it names is there");
  const lets = listeners.some(({ validation }) => validation?.mode === "AllowInsecureFallback");
  const insecure = at(
    "InsecureFrontendValidationMode",
    true,
    "ConfigurationChanged",
    "clients without a valid certificate come in on some ports",
  );
  return {
    isAccepted: refusal === undefined,
    conditions: [accepted, programmed, resolved, ...(lets ? [insecure] : [])],
  };
}

function refuseWhole(
  gateway: Resource<GatewaySpec>,
  listeners: readonly JudgedListener[],
  gatewayClass: Resource<GatewayClassSpec> | undefined,
): Reasoned | undefined {
  if (gatewayClass?.spec.parametersRef !== undefined)
    return { reason: "InvalidParameters", message: `the GatewayClass ${gatewayClass.metadata.name} is not accepted` };
  const { infrastructure, addresses = [] } = gateway.spec;
  if (infrastructure?.parametersRef !== undefined) {
    const { kind } = infrastructure.parametersRef;
    return { reason: "InvalidParameters", message: `parameters of kind ${kind} are not known` };
  }
  const strange = addresses.find(({ type }) => type !== "IPAddress" && type !== "Hostname");
  if (strange !== undefined)
    return { reason: "UnsupportedAddress", message: `addresses of type ${strange.type} are not known` };
  if (listeners.length > 0 && !listeners.some(({ isAccepted }) => isAccepted))
    return { reason: "ListenersNotValid", message: "no listener is valid" };
  return undefined;
}

function usableAddresses({ addresses = [] }: GatewaySpec): GatewayView["addresses"] {
  return addresses.flatMap(({ type, value }) =>
    type === "IPAddress" && value !== undefined && value !== "" ? [{ type, value }] : [],
  );
}

function judgeListenerSet(
  set: Resource<ListenerSetSpec>,
  listeners: readonly JudgedListener[],
  { isAllowed, isParentAccepted }: { readonly isAllowed: boolean; readonly isParentAccepted: boolean },
): JudgedListenerSet {
  const at = condition(set);
  const { namespace, name } = set.metadata;
  const both = (reason: string, message: string): JudgedListenerSet => ({
    namespace,
    name,
    isAccepted: false,
    conditions: ["Accepted", "Programmed"].map((type) => at(type, false, reason, message)),
  });
  if (!isAllowed)
    return both("NotAllowed", "the Gateway's allowedListeners do not take ListenerSets of this namespace");
  if (!isParentAccepted) return both("ParentNotAccepted", "the Gateway is not accepted");
  const own = listeners.filter(
    ({ owner }) => owner.kind === "ListenerSet" && owner.namespace === namespace && owner.name === name,
  );
  const good = own.filter(({ isAccepted }) => isAccepted);
  if (good.length === 0) return both("ListenersNotValid", "no listener is valid");
  const opened = own.filter(({ isProgrammed }) => isProgrammed).length;
  return {
    namespace,
    name,
    isAccepted: true,
    conditions: [
      good.length === own.length
        ? at("Accepted", true, "Accepted", "the listeners are added to the Gateway")
        : at(
            "Accepted",
            true,
            "ListenersNotValid",
            `${own.length - good.length} of ${own.length} listeners are not valid`,
          ),
      opened > 0
        ? at("Programmed", true, "Programmed", `proxies are told to open ${opened} of ${own.length} listeners`)
        : at("Programmed", false, "Invalid", "no listener can be opened"),
    ],
  };
}

/** The oldest first, then by "NAMESPACE/NAME". */
function byAge(a: Resource, b: Resource): number {
  const key = ({ metadata }: Resource): string =>
    `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}
