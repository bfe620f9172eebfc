// Which tier this process uses: the fastest whose self-test passes, or the one asked for.

import type { Clock } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";
import { currentTier, useTier } from "./current-tier.ts";
import { onreadTier } from "./tiers/onread-tier.ts";
import { publicTier } from "./tiers/public-tier.ts";
import { rawTier } from "./tiers/raw-tier.ts";
import { selfTest } from "./tiers/self-test.ts";
import type { Tier } from "./tiers/tier.ts";

const FASTEST_FIRST: readonly Tier[] = [rawTier, onreadTier, publicTier];

/** What the choice depends on. */
export interface SelectTierOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The value of RIPSTOP_TRANSPORT: "raw", "onread" or "public"; undefined or "" chooses the fastest that works. */
  readonly requested?: string | undefined;
  /** For tests; default all, fastest first. The last one needs no test. */
  readonly tiers?: readonly Tier[];
}

/**
 * Tests tiers from fast to portable, at most two seconds each and normally a few milliseconds, makes the first that
 * works the process's own and returns it. A requested tier that does not work falls back too, with a warning.
 */
export async function selectTier(options: SelectTierOptions): Promise<Tier> {
  const { clock, logger, requested = "", tiers = FASTEST_FIRST } = options;
  const start = tiers.findIndex((tier) => tier.name === requested);
  if (requested !== "" && start < 0) {
    logger.warn("RIPSTOP_TRANSPORT is none of raw, onread, public: choosing by self-test", { requested });
  }
  for (const tier of tiers.slice(Math.max(start, 0))) {
    const problem = tier === tiers.at(-1) ? undefined : await selfTest(tier, clock);
    if (problem === undefined) {
      logger.debug("transport chosen", { transport: tier.name });
      useTier(tier);
      return tier;
    }
    logger.warn("transport does not work here, trying the next", { transport: tier.name, reason: problem });
  }
  return currentTier();
}
