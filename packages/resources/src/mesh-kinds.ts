// The kinds of our own that are no policies.

import type { Kind } from "./kind.ts";
import { accessBindingKind } from "./kinds/access-binding/index.ts";
import { endpointSourceKind } from "./kinds/endpoint-source/index.ts";
import { federatedTrustDomainKind } from "./kinds/federated-trust-domain/index.ts";
import { loginIssuerKind } from "./kinds/login-issuer/index.ts";

/** FederatedTrustDomain, LoginIssuer, AccessBinding, EndpointSource. */
export const meshKinds: readonly Kind[] = [
  federatedTrustDomainKind,
  loginIssuerKind,
  accessBindingKind,
  endpointSourceKind,
];
