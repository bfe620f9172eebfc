// Generated from the folder names by npm run generate: every policy, control side.

import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { kind as authorizationKind, policy as authorization } from "./authorization/index.ts";
import { kind as externalServiceKind } from "./external-service/index.ts";
import { kind as faultKind, policy as fault } from "./fault/index.ts";
import { kind as httpRouteKind } from "./http-route/index.ts";
import { kind as loadBalancingKind, servicePolicy as loadBalancingOnService } from "./load-balancing/index.ts";
import { kind as rateLimitKind, policy as rateLimit } from "./rate-limit/index.ts";
import { kind as resilienceKind, servicePolicy as resilienceOnService } from "./resilience/index.ts";

/** The resource kind of every folder. */
export const policyResourceKinds: readonly Kind[] = [authorizationKind, externalServiceKind, faultKind, httpRouteKind, loadBalancingKind, rateLimitKind, resilienceKind];

/** The folders that compile to a filter on workloads. */
export const policyKinds: readonly PolicyKind[] = [authorization, fault, rateLimit];

/** The folders that are attached to Services and compile into them. */
export const servicePolicyKinds: readonly ServicePolicyKind[] = [loadBalancingOnService, resilienceOnService];
