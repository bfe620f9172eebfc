// The kinds of our own that are no policies.

import type { Kind } from "./kind.ts";
import { federatedTrustDomainKind } from "./kinds/federated-trust-domain/index.ts";

/** FederatedTrustDomain. */
export const meshKinds: readonly Kind[] = [federatedTrustDomainKind];
