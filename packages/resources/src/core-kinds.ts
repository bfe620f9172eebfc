// The kinds of Kubernetes' core group that Ripstop reads.

import type { Kind } from "./kind.ts";
import { configMapKind } from "./kinds/config-map/index.ts";
import { namespaceKind } from "./kinds/namespace/index.ts";
import { secretKind } from "./kinds/secret/index.ts";
import { serviceKind } from "./kinds/service/index.ts";

/** Namespace, Service, Secret and ConfigMap. */
export const coreKinds: readonly Kind[] = [namespaceKind, serviceKind, secretKind, configMapKind];
