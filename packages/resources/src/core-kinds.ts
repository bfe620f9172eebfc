// The kinds of Kubernetes itself that Ripstop reads.

import type { Kind } from "./kind.ts";
import { configMapKind } from "./kinds/config-map/index.ts";
import { endpointSliceKind } from "./kinds/endpoint-slice/index.ts";
import { namespaceKind } from "./kinds/namespace/index.ts";
import { secretKind } from "./kinds/secret/index.ts";
import { serviceKind } from "./kinds/service/index.ts";

/** Namespace, Service, EndpointSlice, Secret and ConfigMap. */
export const coreKinds: readonly Kind[] = [namespaceKind, serviceKind, endpointSliceKind, secretKind, configMapKind];
