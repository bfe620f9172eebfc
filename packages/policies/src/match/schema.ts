// Schemas of targets and of what a rule matches, for the kinds that have them.

import type { JsonSchema } from "@ripstop/resources";

import { fromSchema, toSchema } from "../authorization/schema.ts";
import type { TargetRef } from "./spec.ts";

/** Most entries of `from`, of `to` and of `headers`. */
const MAX_ENTRIES = 16;

/** A header field's name (RFC 9110, token). */
export const headerNameSchema: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: 128,
  pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
  description: "Name of a header field; upper and lower case are the same.",
};

/** A duration as the Gateway API writes it (GEP-2257). */
export function durationSchema(description: string): JsonSchema {
  return { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$", description };
}

/** Schema of spec.targetRefs, for targets of these kinds. */
export function targetRefsSchema(kinds: readonly TargetRef["kind"][]): JsonSchema {
  return {
    type: "array",
    description:
      "What it is for, in the policy's namespace: Services, or what comes in by Gateways. Default: the workloads of the namespace.",
    minItems: 1,
    maxItems: 16,
    items: {
      type: "object",
      additionalProperties: false,
      required: ["kind", "name"],
      properties: {
        group: { type: "string", enum: ["", "gateway.networking.k8s.io"], description: "Default: that of the kind." },
        kind: { type: "string", enum: [...kinds], description: "Not Services and others together." },
        name: {
          type: "string",
          maxLength: 253,
          pattern: "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
          description: "Its name.",
        },
        sectionName: {
          type: "string",
          minLength: 1,
          maxLength: 253,
          description: "Of a Gateway: the name of a listener. Default: all of them.",
        },
      },
    },
  };
}

/** Schemas of a rule's `from`, `to` and `headers`. */
export const matchProperties: Readonly<Record<string, JsonSchema>> = {
  from: { type: "array", description: "Callers.", minItems: 1, maxItems: MAX_ENTRIES, items: fromSchema },
  to: { type: "array", description: "Requests.", minItems: 1, maxItems: MAX_ENTRIES, items: toSchema },
  headers: {
    type: "array",
    description: "Header fields that the request must have, all of them.",
    minItems: 1,
    maxItems: MAX_ENTRIES,
    items: {
      type: "object",
      additionalProperties: false,
      required: ["name"],
      properties: {
        name: headerNameSchema,
        type: {
          type: "string",
          enum: ["Present", "Exact", "Prefix"],
          default: "Exact",
          description: "How the value is compared; Present takes any.",
        },
        value: { type: "string", maxLength: 4096, description: "The value, or how it begins. None with Present." },
      },
    },
  },
};
