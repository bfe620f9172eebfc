// What is said when too much is under way to a service.

import type { CircuitBreaker, GradientLimiter } from "@ripstop/balance";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { circuitOpen, concurrencyLimited } from "../errors.ts";
import type { HttpPool } from "./http-pool.ts";
import { refusal, type Refusal } from "./local-reply.ts";

/** `limits.requests` is reached. */
export function tooManyRequests(service: string, { requests }: CircuitBreaker): Refusal {
  const why = `${requests} requests are under way, as many as limits.requests allows`;
  return refusal(circuitOpen, `${service}: ${why}`);
}

/** `limits.pending` is reached. */
export function tooManyPending({ id }: UpstreamEndpoint, { address, waiting }: HttpPool): Refusal {
  const why = `${waiting} requests wait for a connection, as many as limits.pending allows`;
  return refusal(circuitOpen, `${id} at ${address}: ${why}`);
}

/** The adaptive limit of the service, or without `limiter` that of each instance, is reached. */
export function tooSlowForMore(service: string, limiter?: GradientLimiter): Refusal {
  const why =
    limiter === undefined
      ? "every instance has as many requests under way as it is quick enough for now"
      : `${limiter.inflight} requests are under way, and it is too slow for more now`;
  return refusal(concurrencyLimited, `${service}: ${why}`);
}
