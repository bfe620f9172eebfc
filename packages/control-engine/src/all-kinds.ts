// Every kind that a mesh knows.

import { policyResourceKinds } from "@ripstop/policies/control";
import { coreKinds, identityKinds, meshKinds, type Kind } from "@ripstop/resources";

/** In the order of lists and references. */
export const allKinds: readonly Kind[] = [...coreKinds, ...identityKinds, ...meshKinds, ...policyResourceKinds];
