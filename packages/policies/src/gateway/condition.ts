// Conditions of the Gateway API's statuses, but for the time, which their writer adds when `status` changes.

import type { Resource } from "@ripstop/resources";

/** Written as controllerName wherever a status has one, and the controllerName of our GatewayClasses. */
export const CONTROLLER_NAME = "ripstop.mesh/control";

/** The GatewayClass that there is without a resource. */
export const DEFAULT_CLASS = "ripstop";

/** The Gateway API's group. */
export const GATEWAY_GROUP = "gateway.networking.k8s.io";

/** One condition. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  /** The generation of the resource that this was judged by. */
  readonly observedGeneration: number;
}

/** Makes conditions for one resource. */
export function condition(
  resource: Resource,
): (type: string, holds: boolean | undefined, reason: string, message: string) => Condition {
  return (type, holds, reason, message) => ({
    type,
    status: holds === undefined ? "Unknown" : holds ? "True" : "False",
    reason,
    message,
    observedGeneration: resource.metadata.generation,
  });
}
