// Generated from the folder names by npm run generate: every policy, control side.

import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { kind as authorizationKind, policy as authorization } from "./authorization/index.ts";
import { kind as httpRouteKind } from "./http-route/index.ts";
import { kind as resilienceKind, servicePolicy as resilienceOnService } from "./resilience/index.ts";

/** The resource kind of every folder. */
export const policyResourceKinds: readonly Kind[] = [authorizationKind, httpRouteKind, resilienceKind];

/** The folders that compile to a filter on workloads. */
export const policyKinds: readonly PolicyKind[] = [authorization];

/** The folders that are attached to Services and compile into them. */
export const servicePolicyKinds: readonly ServicePolicyKind[] = [resilienceOnService];
