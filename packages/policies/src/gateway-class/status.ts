// Status of a GatewayClass: whether we look after it, and what we can do.

import type { Resource } from "@ripstop/resources";

import { condition, CONTROLLER_NAME, type Condition } from "../gateway/condition.ts";
import type { GatewayClassSpec } from "./index.ts";
import { supportedFeatures } from "./supported-features.ts";

/** Status of a GatewayClass of ours. */
export interface GatewayClassStatus {
  readonly conditions: readonly Condition[];
  /** Sorted by name, as the Gateway API wants it. */
  readonly supportedFeatures: readonly { readonly name: string }[];
}

/** The status; undefined for a class of another controller, whose status is not ours to write. */
export function gatewayClassStatus(gatewayClass: Resource<GatewayClassSpec>): GatewayClassStatus | undefined {
  const { controllerName, parametersRef } = gatewayClass.spec;
  if (controllerName !== CONTROLLER_NAME) return undefined;
  const at = condition(gatewayClass);
  const accepted =
    parametersRef === undefined
      ? at("Accepted", true, "Accepted", "Gateways of this class are looked after")
      : at("Accepted", false, "InvalidParameters", `parameters of kind ${parametersRef.kind} are not known`);
  return {
    conditions: [
      accepted,
      at("SupportedVersion", true, "SupportedVersion", "the schemas are those of Gateway API v1.6.1"),
    ],
    supportedFeatures: supportedFeatures.map((name) => ({ name })),
  };
}
