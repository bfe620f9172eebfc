// Generated from the folder names by npm run generate: every policy, control side.

import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { kind as authorizationKind, policy as authorization } from "./authorization/index.ts";
import { kind as backendTlsPolicyKind } from "./backend-tls-policy/index.ts";
import { kind as externalServiceKind } from "./external-service/index.ts";
import { kind as faultKind, policy as fault } from "./fault/index.ts";
import { kind as gatewayKind } from "./gateway/index.ts";
import { kind as gatewayClassKind } from "./gateway-class/index.ts";
import { kind as grpcRouteKind } from "./grpc-route/index.ts";
import { kind as httpRouteKind } from "./http-route/index.ts";
import { kind as listenerSetKind } from "./listener-set/index.ts";
import { kind as loadBalancingKind, servicePolicy as loadBalancingOnService } from "./load-balancing/index.ts";
import { kind as rateLimitKind, policy as rateLimit } from "./rate-limit/index.ts";
import { kind as referenceGrantKind } from "./reference-grant/index.ts";
import { kind as tcpRouteKind } from "./tcp-route/index.ts";
import { kind as tlsRouteKind } from "./tls-route/index.ts";
import { kind as udpRouteKind } from "./udp-route/index.ts";

/** The resource kind of every folder. */
export const policyResourceKinds: readonly Kind[] = [authorizationKind, backendTlsPolicyKind, externalServiceKind, faultKind, gatewayKind, gatewayClassKind, grpcRouteKind, httpRouteKind, listenerSetKind, loadBalancingKind, rateLimitKind, referenceGrantKind, tcpRouteKind, tlsRouteKind, udpRouteKind];

/** The folders that compile to a filter on workloads. */
export const policyKinds: readonly PolicyKind[] = [authorization, fault, rateLimit];

/** The folders that are attached to Services and compile into them. */
export const servicePolicyKinds: readonly ServicePolicyKind[] = [loadBalancingOnService];
