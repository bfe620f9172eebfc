// Listeners by which workloads leave the mesh: which Gateway they are of, and for whom.

import { intersection } from "./hostnames.ts";
import type { JudgedListener } from "./judge-listener.ts";
import { isNamespaceAllowed, type GatewayFacts, type GatewayView } from "./judge.ts";
import { EGRESS_PROTOCOL } from "./spec.ts";

/** Why a host cannot be reached through a Gateway, as reason and message of a condition. */
export interface NoWayOut {
  readonly reason: "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";
  readonly message: string;
}

/** What is to be led out: hosts (wildcards too), in the name of a namespace; "" for whichever. */
export interface WantedWayOut {
  /** "NAMESPACE/NAME" of the Gateway. */
  readonly gateway: string;
  readonly namespace: string;
  readonly host: string;
}

/** The listener of a Gateway by which callers reach a host outside. */
export function egressListener(
  view: GatewayView | undefined,
  { gateway, namespace, host }: WantedWayOut,
  facts: Pick<GatewayFacts, "namespaceLabels">,
): JudgedListener | NoWayOut {
  if (view === undefined || !view.isOurs)
    return { reason: "NoMatchingParent", message: `there is no Gateway ${gateway}` };
  const egress = view.listeners.filter(({ protocol, isProgrammed }) => protocol === EGRESS_PROTOCOL && isProgrammed);
  if (egress.length === 0) {
    const message = `Gateway ${gateway} has no usable listener with protocol ${EGRESS_PROTOCOL}`;
    return { reason: "NoMatchingParent", message };
  }
  const open = egress.filter(
    ({ allowedNamespaces, owner }) =>
      namespace === "" || isNamespaceAllowed(allowedNamespaces, { own: owner.namespace, other: namespace }, facts),
  );
  if (open.length === 0) {
    const message = `Gateway ${gateway} leads nothing out for namespace ${namespace}: see allowedRoutes of its listener`;
    return { reason: "NotAllowedByListeners", message };
  }
  const found = open.find(({ hostname }) => intersection(hostname, host) === host);
  if (found !== undefined) return found;
  const there = open.map(({ hostname }) => hostname).join(", ");
  return { reason: "NoMatchingListenerHostname", message: `Gateway ${gateway} leads out to ${there} only` };
}
