// LoginIssuer (ripstop.mesh/v1alpha1): an OpenID Connect provider with whose ID tokens people call the API.

import type { JsonSchema, Kind } from "../../kind.ts";
import { tokenIssuerKind, type TokenIssuerSpec } from "../token-issuer/index.ts";
import { issuerProperties } from "../token-issuer/schema.ts";

/** An OpenID Connect provider. */
export interface LoginIssuerSpec extends Pick<TokenIssuerSpec, "issuer" | "audience" | "jwksUri" | "jwks" | "caPem"> {
  /** The claim that names the person in the history and in the audit log; default "sub". */
  readonly nameClaim: string;
}

/** Schema of LoginIssuerSpec. */
export const loginIssuerSchema: JsonSchema = {
  type: "object",
  description: "An OpenID Connect provider with whose ID tokens people call the API.",
  required: ["issuer", "audience"],
  properties: {
    ...issuerProperties,
    audience: {
      type: "string",
      minLength: 1,
      maxLength: 1024,
      description: "The client id of Ripstop at the provider: a token must be made for it.",
    },
    nameClaim: {
      type: "string",
      minLength: 1,
      maxLength: 1024,
      default: "sub",
      description: "Claim that names the person in the history and in the audit log.",
    },
  },
};

/** The kind LoginIssuer. */
export const loginIssuerKind: Kind<LoginIssuerSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "LoginIssuer",
  plural: "loginissuers",
  shortNames: [],
  namespaced: false,
  schema: loginIssuerSchema,
  // The rules for addresses and keys are those of any issuer of tokens.
  validate: (resource) => tokenIssuerKind.validate({ ...resource, spec: { ...resource.spec, kubernetes: false } }),
  validateReferences({ metadata, spec }, lookup) {
    for (const other of lookup.list("LoginIssuer")) {
      if (other.metadata.name === metadata.name || (other.spec as LoginIssuerSpec).issuer !== spec.issuer) continue;
      return [
        {
          path: "spec.issuer",
          message: `LoginIssuer ${other.metadata.name} is for the same issuer`,
          remedy: "keep one of the two",
        },
      ];
    }
    return [];
  },
};
