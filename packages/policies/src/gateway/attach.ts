// Where a route is attached: its parentRefs that name Gateways and ListenerSets, judged against their listeners.

import type { Resource } from "@ripstop/resources";

import type { ParentRef } from "../http-route/spec.ts";
import { condition, GATEWAY_GROUP, type Condition } from "./condition.ts";
import { intersection } from "./hostnames.ts";
import type { JudgedListener } from "./judge-listener.ts";
import { isNamespaceAllowed, type GatewayFacts, type GatewayView } from "./judge.ts";

/** A route of any kind, as far as attaching goes. */
export type RouteResource = Resource<{
  readonly parentRefs?: readonly ParentRef[];
  readonly hostnames?: readonly string[];
}>;

/** A listener that a route is attached to. */
export interface AttachedListener {
  readonly listener: JudgedListener;
  /** The route's host names within the listener's; empty: all that the listener takes. Lower case. */
  readonly hostnames: readonly string[];
}

/** What became of one parentRef. */
export interface ParentJudgement {
  readonly accepted: Condition;
  readonly attached: readonly AttachedListener[];
}

/** The Gateway that a parentRef stands for, directly or by a ListenerSet; undefined when it is no such parentRef. */
export interface GatewayParent {
  readonly kind: "Gateway" | "ListenerSet";
  readonly namespace: string;
  readonly name: string;
}

/** What a parentRef names, when that is a Gateway or ListenerSet. */
export function gatewayParent(route: RouteResource, parent: ParentRef): GatewayParent | undefined {
  const { group, kind, name } = parent;
  if (group !== GATEWAY_GROUP || (kind !== "Gateway" && kind !== "ListenerSet")) return undefined;
  return { kind, name, namespace: parent.namespace ?? route.metadata.namespace };
}

/** Judges a parentRef against the Gateway that it stands for (undefined: there is none). */
export function attachRoute(
  route: RouteResource,
  parent: ParentRef,
  { view, facts }: { readonly view: GatewayView | undefined; readonly facts: Pick<GatewayFacts, "namespaceLabels"> },
): ParentJudgement {
  const at = condition(route);
  const refuse = (reason: string, message: string): ParentJudgement => ({
    accepted: at("Accepted", false, reason, message),
    attached: [],
  });
  const named = gatewayParent(route, parent);
  const what = `${parent.kind} ${named?.namespace ?? ""}/${parent.name}`;
  if (view === undefined || named === undefined) return refuse("NoMatchingParent", `there is no ${what}`);
  const own = view.listeners.filter(
    ({ owner }) => owner.kind === named.kind && owner.namespace === named.namespace && owner.name === named.name,
  );
  const meant = own.filter(
    ({ name, port }) =>
      (parent.sectionName === undefined || parent.sectionName === name) &&
      (parent.port === undefined || parent.port === port),
  );
  if (meant.length === 0) {
    const wanted = [parent.sectionName, parent.port].filter((part) => part !== undefined).join(" ");
    const there = own.map(({ name, port }) => `${name} (${port})`).join(", ");
    return refuse("NoMatchingParent", `${what} has no listener ${wanted}; it has ${there === "" ? "none" : there}`);
  }
  const open = meant.filter(
    ({ supportedKinds, allowedNamespaces, owner }) =>
      supportedKinds.some(({ kind }) => kind === route.kind) &&
      isNamespaceAllowed(allowedNamespaces, { own: owner.namespace, other: route.metadata.namespace }, facts),
  );
  if (open.length === 0) {
    const names = meant.map(({ name }) => name).join(", ");
    const message = `no ${route.kind} of namespace ${route.metadata.namespace} may attach to ${names} of ${what}`;
    return refuse("NotAllowedByListeners", message);
  }
  const attached = open.flatMap((listener) => {
    const hostnames = commonHostnames(route, listener);
    return hostnames === undefined ? [] : [{ listener, hostnames }];
  });
  if (attached.length === 0) {
    const there = [...new Set(open.map(({ hostname }) => hostname))].join(", ");
    const message = `none of the route's host names is one of ${there}`;
    return refuse("NoMatchingListenerHostname", message);
  }
  const names = attached.map(({ listener }) => listener.name).join(", ");
  return { accepted: at("Accepted", true, "Accepted", `attached to ${names} of ${what}`), attached };
}

/** Undefined when there is none in common. */
function commonHostnames(route: RouteResource, listener: JudgedListener): readonly string[] | undefined {
  const hostnames = ["TCPRoute", "UDPRoute"].includes(route.kind) ? [] : (route.spec.hostnames ?? []);
  if (hostnames.length === 0) return [];
  const common = hostnames
    .map((hostname) => intersection(hostname.toLowerCase(), listener.hostname))
    .filter((hostname) => hostname !== undefined);
  return common.length === 0 ? undefined : [...new Set(common)];
}
