// The kinds of identity: who may be whom, and by which proof.

import type { Kind } from "./kind.ts";
import { tokenIssuerKind } from "./kinds/token-issuer/index.ts";
import { workloadIdentityKind } from "./kinds/workload-identity/index.ts";

/** WorkloadIdentity and TokenIssuer. */
export const identityKinds: readonly Kind[] = [workloadIdentityKind, tokenIssuerKind];
