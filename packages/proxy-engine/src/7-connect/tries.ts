// What an exchange knows of its tries beyond the first one. Made when there is a second one.

import type { GradientLimiter } from "@ripstop/balance";
import type { WheelTimer } from "@ripstop/net";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import type { Attempt } from "./attempt.ts";

/** A second try beside the first one, and what it was counted in by. */
export interface Hedge {
  readonly attempt: Attempt;
  readonly endpoint: UpstreamEndpoint;
  readonly limiter: GradientLimiter | undefined;
}

/** The tries of one exchange. */
export class Tries {
  /** Instances that failed the request. */
  readonly tried: UpstreamEndpoint[] = [];
  retries = 0;
  /** The retry that a connection is given which its peer closed as it was used again. */
  usedFreeRetry = false;
  /** Runs between two tries when there is a backoff. */
  pause: WheelTimer | undefined = undefined;
  pausing = false;
  /** Under way beside the exchange's own attempt. */
  hedge: Hedge | undefined = undefined;
}
