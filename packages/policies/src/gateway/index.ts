// Gateway: the kind, its listeners with what became of them, and what its proxy is told.

import type { Kind } from "@ripstop/resources";
import { gatewaySchema } from "@ripstop/resources/gateway-api";

import type { GatewaySpec } from "./spec.ts";

export { egressListener, type NoWayOut, type WantedWayOut } from "./egress-listener.ts";
export { intersection } from "./hostnames.ts";
export {
  attachRoute,
  gatewayParent,
  type AttachedListener,
  type GatewayParent,
  type ParentJudgement,
  type RouteResource,
} from "./attach.ts";
export { condition, CONTROLLER_NAME, DEFAULT_CLASS, GATEWAY_GROUP, type Condition } from "./condition.ts";
export type { ReferenceFacts } from "./certificates.ts";
export { compileGateway } from "./compile.ts";
export type { JudgedListener } from "./judge-listener.ts";
export { judgeGateway, type GatewayFacts, type GatewayView } from "./judge.ts";
export { gatewayStatus, listenerSetStatus, type ListenerStatus } from "./status.ts";
export { EGRESS_PROTOCOL, type GatewaySpec, type ListenerSetSpec, type ListenerSpec } from "./spec.ts";
export type { StreamRouteSpec } from "./stream-route.ts";

/** The kind Gateway. */
export const kind: Kind<GatewaySpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1beta1"],
  kind: "Gateway",
  plural: "gateways",
  shortNames: ["gtw"],
  namespaced: true,
  schema: gatewaySchema,
  validate: () => [],
};
