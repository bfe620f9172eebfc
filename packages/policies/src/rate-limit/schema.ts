// RateLimitPolicy (ripstop.mesh/v1alpha1): how many requests and raw connections the targeted workloads and gateways take.

import type { JsonSchema } from "@ripstop/resources";

import { durationSchema, headerNameSchema, matchProperties, targetRefsSchema } from "../match/schema.ts";
import type { RequestMatch, TargetRef } from "../match/spec.ts";

/** How many requests and raw connections the targeted workloads and gateways take. */
export interface RateLimitPolicySpec {
  /** Services, or Gateways, of the policy's namespace. Absent: all of its workloads. */
  readonly targetRefs?: readonly TargetRef[];
  /** All rules that match a request hold. */
  readonly rules: readonly RateLimitRule[];
}

/** One limit. */
export interface RateLimitRule extends RequestMatch {
  /** Unique in the policy; callers see it. */
  readonly name: string;
  /** Requests with the same values of all of these are counted together. Default: all requests are. */
  readonly key: readonly RateLimitKeyPart[];
  readonly limit: RateLimit;
  /** Local: each proxy by itself. Global: all proxies of the targeted workloads together. */
  readonly scope: "Local" | "Global";
  /** Shadow counts what is too much and lets it pass. */
  readonly mode: "Enforce" | "Shadow";
}

/** What a limit counts by. */
export interface RateLimitKeyPart {
  readonly type: "Identity" | "Namespace" | "Address" | "Method" | "Path" | "Host" | "Header";
  /** Of the header field, with Header. */
  readonly name?: string;
}

/** So many requests, or connections, in so much time. */
export interface RateLimit {
  /** HTTP requests. This or `connections`. */
  readonly requests?: number;
  /** New raw connections: of TCP ports, and of TCP and TLS listeners of Gateways. */
  readonly connections?: number;
  /** 10ms ... 24h. */
  readonly period: string;
  /** So many at once; default as many as in a period. */
  readonly burst?: number;
  readonly algorithm: "TokenBucket" | "GCRA";
}

/** Schema of RateLimitPolicy.spec. */
export const rateLimitSchema: JsonSchema = {
  type: "object",
  description: "How many requests and raw connections the targeted workloads and gateways take.",
  additionalProperties: false,
  required: ["rules"],
  properties: {
    targetRefs: targetRefsSchema(["Service", "Gateway"]),
    rules: {
      type: "array",
      description: "Limits. All that match a request hold.",
      minItems: 1,
      maxItems: 16,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name", "limit"],
        properties: {
          name: {
            type: "string",
            maxLength: 63,
            pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            description: "Unique in the policy. Callers that are limited see it.",
          },
          ...matchProperties,
          key: {
            type: "array",
            default: [],
            maxItems: 4,
            description: "Requests with the same values of all of these are counted together. Default: all requests.",
            items: {
              type: "object",
              additionalProperties: false,
              required: ["type"],
              properties: {
                type: {
                  type: "string",
                  enum: ["Identity", "Namespace", "Address", "Method", "Path", "Host", "Header"],
                  description: "Identity and Namespace are those that the caller's certificate proves.",
                },
                name: { ...headerNameSchema, description: "Name of the header field, with type Header." },
              },
            },
          },
          limit: {
            type: "object",
            additionalProperties: false,
            description: "So many requests, or connections, in so much time.",
            required: ["period"],
            properties: {
              requests: {
                type: "integer",
                minimum: 1,
                maximum: 1_000_000_000,
                description: "HTTP requests in a period. Give this or connections.",
              },
              connections: {
                type: "integer",
                minimum: 1,
                maximum: 1_000_000_000,
                description:
                  "New raw connections in a period: to TCP ports, and to TCP and TLS listeners of Gateways. More are reset.",
              },
              period: durationSchema("From 10ms to 24h."),
              burst: {
                type: "integer",
                minimum: 1,
                maximum: 1_000_000_000,
                description: "So many at once, after a time with few of them. Default: as many as in a period.",
              },
              algorithm: {
                type: "string",
                enum: ["TokenBucket", "GCRA"],
                default: "TokenBucket",
                description: "GCRA spaces requests evenly with one number of state; TokenBucket saves up unused ones.",
              },
            },
          },
          scope: {
            type: "string",
            enum: ["Local", "Global"],
            default: "Local",
            description: "Local: each proxy by itself. Global: all proxies of the targeted workloads together.",
          },
          mode: {
            type: "string",
            enum: ["Enforce", "Shadow"],
            default: "Enforce",
            description: "Shadow counts what is too much and lets it pass.",
          },
        },
      },
    },
  },
};
