// Generated from the folder names by npm run generate: every policy, proxy side.

import type { FilterFactory } from "@ripstop/policy-api/proxy";

import { filterFactory as authorization } from "./authorization/filter.ts";
import { filterFactory as fault } from "./fault/filter.ts";
import { filterFactory as rateLimit } from "./rate-limit/filter.ts";

/** The filter of every policy. */
export const filterFactories: readonly FilterFactory[] = [authorization, fault, rateLimit];
