// AuthorizationPolicy (ripstop.mesh/v1alpha1): who may call a workload, and what.

import type { JsonSchema } from "@ripstop/resources";

/** Who may (or may not) call what, on the workloads that the policy targets. */
export interface AuthorizationPolicySpec {
  /** Services of the policy's namespace whose workloads it guards. Neither this nor `selector`: the whole namespace. */
  readonly targetRefs?: readonly AuthorizationTarget[];
  /** Workloads of the policy's namespace by label. */
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  /** Default ALLOW. */
  readonly action: "ALLOW" | "DENY" | "AUDIT";
  /** Any of them may match. An ALLOW policy without rules allows nothing. */
  readonly rules: readonly AuthorizationRule[];
}

/** A Service in the policy's own namespace. */
export interface AuthorizationTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

/** Matches when one of `from` and one of `to` match; what is left out matches everything. */
export interface AuthorizationRule {
  readonly from?: readonly AuthorizationFrom[];
  readonly to?: readonly AuthorizationTo[];
}

/** Every list that is given must hold the caller. */
export interface AuthorizationFrom {
  /** SPIFFE ids; a trailing "/*" stands for everything below, "*" alone for every verified identity. */
  readonly principals?: readonly string[];
  /** Namespaces of the mesh's own trust domain. */
  readonly namespaces?: readonly string[];
  /** "NAME" in the policy's namespace, or "NAMESPACE/NAME"; of the mesh's own trust domain. */
  readonly serviceAccounts?: readonly string[];
}

/** Every list that is given must hold the request's value. */
export interface AuthorizationTo {
  readonly methods?: readonly string[];
  /** Whole paths, or "/prefix/*" for the prefix and everything below it. */
  readonly paths?: readonly string[];
  /** Host names, or "*.example.com" for every name below it. */
  readonly hosts?: readonly string[];
  /** Ports that the workload listens on. */
  readonly ports?: readonly number[];
}

/** Most entries in a list of rules, of `from` and of `to`. */
const MAX_ENTRIES = 64;
/** Most values in one list of a `from` or `to`. */
const MAX_VALUES = 256;

const DNS_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

function listOf(items: JsonSchema, maxItems: number, description: string): JsonSchema {
  return { type: "array", description, minItems: 1, maxItems, items };
}

/** Schema of one entry of `from`. */
export const fromSchema: JsonSchema = {
  type: "object",
  description: "A caller. Every list that is given must hold it.",
  additionalProperties: false,
  minProperties: 1,
  properties: {
    principals: listOf(
      { type: "string", minLength: 1, maxLength: 2048 },
      MAX_VALUES,
      'SPIFFE ids; "spiffe://DOMAIN/ns/shop/*" stands for everything below, "*" for every verified identity.',
    ),
    namespaces: listOf(
      { type: "string", maxLength: 63, pattern: DNS_LABEL },
      MAX_VALUES,
      "Namespaces of the mesh's own trust domain.",
    ),
    serviceAccounts: listOf(
      { type: "string", minLength: 1, maxLength: 317 },
      MAX_VALUES,
      '"NAME" in the policy\'s namespace, or "NAMESPACE/NAME".',
    ),
  },
};

/** Schema of one entry of `to`. */
export const toSchema: JsonSchema = {
  type: "object",
  description: "A request. Every list that is given must hold its value.",
  additionalProperties: false,
  minProperties: 1,
  properties: {
    methods: listOf(
      { type: "string", maxLength: 32, pattern: "^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*$" },
      MAX_VALUES,
      "Request methods, in upper case.",
    ),
    paths: listOf(
      { type: "string", minLength: 1, maxLength: 1024 },
      MAX_VALUES,
      'Whole paths, or "/prefix/*" for the prefix and everything below it.',
    ),
    hosts: listOf(
      { type: "string", minLength: 1, maxLength: 255 },
      MAX_VALUES,
      'Host names without port, or "*.example.com" for every name below it.',
    ),
    ports: listOf({ type: "integer", minimum: 1, maximum: 65_535 }, MAX_VALUES, "Ports that the workload listens on."),
  },
};

/** Schema of AuthorizationPolicy.spec. */
export const authorizationSchema: JsonSchema = {
  type: "object",
  description: "Who may call the targeted workloads, and what.",
  additionalProperties: false,
  properties: {
    targetRefs: {
      type: "array",
      description: "Services of the policy's namespace whose workloads it guards. Default: the whole namespace.",
      minItems: 1,
      maxItems: 16,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["kind", "name"],
        properties: {
          group: { type: "string", enum: [""], default: "", description: "The core group." },
          kind: { type: "string", enum: ["Service"], description: "Service." },
          name: { type: "string", maxLength: 63, pattern: DNS_LABEL, description: "Name of the Service." },
        },
      },
    },
    selector: {
      type: "object",
      description: "Workloads of the policy's namespace by label.",
      additionalProperties: false,
      required: ["matchLabels"],
      properties: {
        matchLabels: {
          type: "object",
          description: "Labels that a workload must have, all of them.",
          minProperties: 1,
          maxProperties: MAX_ENTRIES,
          additionalProperties: { type: "string", maxLength: 63 },
        },
      },
    },
    action: {
      type: "string",
      enum: ["ALLOW", "DENY", "AUDIT"],
      default: "ALLOW",
      description: "DENY refuses what matches. ALLOW lets only what matches pass. AUDIT puts what matches on record.",
    },
    rules: {
      type: "array",
      description: "Any of them may match. An ALLOW policy without rules allows nothing.",
      default: [],
      maxItems: MAX_ENTRIES,
      items: {
        type: "object",
        description: "Matches when one of `from` and one of `to` match; what is left out matches everything.",
        additionalProperties: false,
        properties: {
          from: { type: "array", description: "Callers.", minItems: 1, maxItems: MAX_ENTRIES, items: fromSchema },
          to: { type: "array", description: "Requests.", minItems: 1, maxItems: MAX_ENTRIES, items: toSchema },
        },
      },
    },
  },
};
