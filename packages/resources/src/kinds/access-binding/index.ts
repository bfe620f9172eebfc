// AccessBinding (ripstop.mesh/v1alpha1): which people of a LoginIssuer have which role in the API.

import type { JsonSchema, Kind } from "../../kind.ts";

/** What a caller of the API may do: look, change the resources of namespaces, or everything. */
export type AccessRole = "viewer" | "editor" | "admin";

/** Who a binding is for: those whose ID token has the value in the claim. */
export interface AccessSubjectSpec {
  /** Name of the LoginIssuer. */
  readonly issuer: string;
  /** Name of the claim, or a JSON pointer to it; default "sub". A list matches when it holds the value. */
  readonly claim: string;
  readonly value: string;
}

/** A role for people. */
export interface AccessBindingSpec {
  readonly role: AccessRole;
  /** Where the role holds; absent: in the whole mesh. */
  readonly namespaces?: readonly string[];
  readonly subjects: readonly AccessSubjectSpec[];
}

/** Schema of AccessBindingSpec. */
export const accessBindingSchema: JsonSchema = {
  type: "object",
  description: "Gives people who log in with OpenID Connect a role in the API.",
  required: ["role", "subjects"],
  properties: {
    role: {
      type: "string",
      enum: ["viewer", "editor", "admin"],
      description: "viewer looks, editor also changes resources of namespaces, admin does everything.",
    },
    namespaces: {
      type: "array",
      minItems: 1,
      maxItems: 256,
      uniqueItems: true,
      items: { type: "string", format: "dns-label" },
      description: "Where the role holds; absent: in the whole mesh.",
    },
    subjects: {
      type: "array",
      minItems: 1,
      maxItems: 256,
      description: "Who has the role: one of these is enough.",
      items: {
        type: "object",
        required: ["issuer", "value"],
        properties: {
          issuer: { type: "string", format: "dns-subdomain", description: "Name of the LoginIssuer." },
          claim: {
            type: "string",
            minLength: 1,
            maxLength: 1024,
            default: "sub",
            description: "Claim of the ID token by name, or by JSON pointer. A list matches when it holds the value.",
          },
          value: { type: "string", minLength: 1, maxLength: 1024, description: "What the claim must be." },
        },
      },
    },
  },
};

/** The kind AccessBinding. */
export const accessBindingKind: Kind<AccessBindingSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "AccessBinding",
  plural: "accessbindings",
  shortNames: [],
  namespaced: false,
  schema: accessBindingSchema,
  validate({ spec }) {
    if (spec.role !== "admin" || spec.namespaces === undefined) return [];
    return [
      {
        path: "spec.namespaces",
        message: "an admin is one of the whole mesh",
        remedy: "remove namespaces, or use the role editor",
      },
    ];
  },
  validateReferences({ spec }, lookup) {
    return spec.subjects.flatMap(({ issuer }, index) =>
      lookup.get("LoginIssuer", "", issuer) === undefined
        ? [
            {
              path: `spec.subjects[${index}].issuer`,
              message: `there is no LoginIssuer ${issuer}`,
              remedy: "apply the LoginIssuer too, or correct the name",
            },
          ]
        : [],
    );
  },
};
