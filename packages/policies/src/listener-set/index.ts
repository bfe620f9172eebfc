// ListenerSet (gateway.networking.k8s.io/v1): listeners that teams add to a Gateway of others (GEP-1713).

import type { Kind } from "@ripstop/resources";
import { listenerSetSchema } from "@ripstop/resources/gateway-api";

import type { ListenerSetSpec } from "../gateway/spec.ts";

/** The kind ListenerSet. */
export const kind: Kind<ListenerSetSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ListenerSet",
  plural: "listenersets",
  shortNames: ["lset"],
  namespaced: true,
  schema: listenerSetSchema,
  validate: () => [],
};
