// Status of Gateways and ListenerSets.

import type { Condition } from "./condition.ts";
import type { JudgedListener } from "./judge-listener.ts";
import type { GatewayView } from "./judge.ts";

/** Status of one listener. */
export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  /** Routes whose parentRef to it is accepted, whatever became of the listener itself. */
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

/** Status of a Gateway. */
export interface GatewayStatus {
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
  readonly attachedListenerSets: number;
}

/** The status; `attached` counts routes by the key of a listener. */
export function gatewayStatus(view: GatewayView, attached: ReadonlyMap<string, number>): GatewayStatus {
  return {
    addresses: view.addresses,
    conditions: view.conditions,
    listeners: view.listeners
      .filter(({ owner }) => owner.kind === "Gateway")
      .map((listener) => listenerStatus(listener, attached)),
    attachedListenerSets: view.listenerSets.filter(({ isAccepted }) => isAccepted).length,
  };
}

/** The status of one of the Gateway's ListenerSets; undefined when it is none of them. */
export function listenerSetStatus(
  view: GatewayView,
  set: { readonly namespace: string; readonly name: string },
  attached: ReadonlyMap<string, number>,
): { readonly conditions: readonly Condition[]; readonly listeners: readonly ListenerStatus[] } | undefined {
  const found = view.listenerSets.find(({ namespace, name }) => namespace === set.namespace && name === set.name);
  if (found === undefined) return undefined;
  const own = view.listeners.filter(
    ({ owner }) => owner.kind === "ListenerSet" && owner.namespace === set.namespace && owner.name === set.name,
  );
  return { conditions: found.conditions, listeners: own.map((listener) => listenerStatus(listener, attached)) };
}

function listenerStatus(
  { key, name, supportedKinds, conditions }: JudgedListener,
  attached: ReadonlyMap<string, number>,
): ListenerStatus {
  return { name, supportedKinds, attachedRoutes: attached.get(key) ?? 0, conditions };
}
