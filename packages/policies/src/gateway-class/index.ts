// GatewayClass (gateway.networking.k8s.io/v1): who looks after the Gateways that name it.

import type { Kind } from "@ripstop/resources";
import { gatewayClassSchema } from "@ripstop/resources/gateway-api";

export { gatewayClassStatus, type GatewayClassStatus } from "./status.ts";

/** Spec of a GatewayClass. */
export interface GatewayClassSpec {
  readonly controllerName: string;
  readonly description?: string;
  readonly parametersRef?: {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  };
}

/** The kind GatewayClass. */
export const kind: Kind<GatewayClassSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1beta1"],
  kind: "GatewayClass",
  plural: "gatewayclasses",
  shortNames: ["gc"],
  namespaced: false,
  schema: gatewayClassSchema,
  validate: () => [],
};
