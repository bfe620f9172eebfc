// FaultInjection (ripstop.mesh/v1alpha1): failures on purpose, for a time.

import type { JsonSchema } from "@ripstop/resources";

import { durationSchema, matchProperties, targetRefsSchema } from "../match/schema.ts";
import type { RequestMatch, TargetRef } from "../match/spec.ts";

/** Failures on purpose at the targeted workloads. */
export interface FaultInjectionSpec {
  /** Services, or Gateways and their routes, of the policy's namespace. Absent: its workloads, Gateways aside. */
  readonly targetRefs?: readonly TargetRef[];
  /** RFC 3339. It ends then, and in any case 24 hours after the resource was made. */
  readonly expires: string;
  /** The first rule that matches a request and whose lot is drawn decides. */
  readonly rules: readonly FaultRuleSpec[];
}

/** One fault. */
export interface FaultRuleSpec extends RequestMatch {
  /** Share of the matching requests, 0 ... 100. Default 100. */
  readonly percentage: number;
  /** The request waits before anything else happens. */
  readonly delay?: string;
  /** The proxy answers in place of the application. */
  readonly abort?: { readonly httpStatus?: number; readonly grpcStatus?: number };
  /** The connection breaks off before any answer. */
  readonly reset: boolean;
  /** The response is slow, or breaks off. */
  readonly response?: { readonly bytesPerSecond?: number; readonly cutAfterBytes?: number };
}

/** Schema of FaultInjection.spec. */
export const faultSchema: JsonSchema = {
  type: "object",
  description: "Failures on purpose at the targeted workloads, for a time.",
  additionalProperties: false,
  required: ["expires", "rules"],
  properties: {
    targetRefs: targetRefsSchema(["Service", "Gateway", "HTTPRoute", "GRPCRoute"]),
    expires: {
      type: "string",
      maxLength: 40,
      description: "RFC 3339. It ends then, and in any case 24 hours after the resource was made.",
    },
    rules: {
      type: "array",
      description: "The first rule that matches a request and whose lot is drawn decides.",
      minItems: 1,
      maxItems: 16,
      items: {
        type: "object",
        additionalProperties: false,
        properties: {
          ...matchProperties,
          percentage: {
            type: "number",
            minimum: 0,
            maximum: 100,
            default: 100,
            description: "Share of the matching requests.",
          },
          delay: durationSchema("The request waits so long before anything else happens; at most 10m."),
          abort: {
            type: "object",
            description:
              "The proxy answers in place of the application: gRPC with grpcStatus, anything else with httpStatus.",
            additionalProperties: false,
            minProperties: 1,
            properties: {
              httpStatus: { type: "integer", minimum: 200, maximum: 599, description: "Default 503." },
              grpcStatus: { type: "integer", minimum: 1, maximum: 16, description: "Default 14, UNAVAILABLE." },
            },
          },
          reset: { type: "boolean", default: false, description: "The connection breaks off before any answer." },
          response: {
            type: "object",
            description: "The response is slow, or breaks off.",
            additionalProperties: false,
            minProperties: 1,
            properties: {
              bytesPerSecond: {
                type: "integer",
                minimum: 20,
                maximum: 1_000_000_000,
                description: "Most bytes of the body in a second.",
              },
              cutAfterBytes: {
                type: "integer",
                minimum: 0,
                maximum: 1_000_000_000,
                description: "The response breaks off after so many bytes of its body.",
              },
            },
          },
        },
      },
    },
  },
};
