// The kinds of Kubernetes' core group that Ripstop reads.

import type { Kind } from "./kind.ts";
import { namespaceKind } from "./kinds/namespace/index.ts";
import { serviceKind } from "./kinds/service/index.ts";

/** Namespace and Service. */
export const coreKinds: readonly Kind[] = [namespaceKind, serviceKind];
