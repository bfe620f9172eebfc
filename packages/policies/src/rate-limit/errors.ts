// Errors of the rate limits.

import { defineError, type ErrorKind } from "@ripstop/core";

/** A limit is used up. */
export const rateLimited: ErrorKind = defineError({
  code: "RS1260",
  name: "rate_limited",
  status: 429,
  grpcStatus: 8,
  title: "More requests or connections came than a limit lets through",
  cause: "The message names the RateLimitPolicy and its rule; Retry-After says when the next request may pass.",
  remedy: "Wait as long as Retry-After says, spread requests over time, or ask the owner of the policy for more.",
});
