// The tier in use: the only state that is the process's own.

import { publicTier } from "./tiers/public-tier.ts";
import type { Tier } from "./tiers/tier.ts";

let current: Tier = publicTier;

/** The tier that `listen` and `dial` use unless told otherwise; "public" until `selectTier`. */
export function currentTier(): Tier {
  return current;
}

/** Makes `tier` the one that later `listen` and `dial` calls use. */
export function useTier(tier: Tier): void {
  current = tier;
}
