// TokenIssuer (ripstop.mesh/v1alpha1): a platform whose signed JWTs are proofs.

import type { JsonSchema } from "../../kind.ts";

/** An OpenID Connect issuer (or any signer of JWTs with published keys). */
export interface TokenIssuerSpec {
  /** The `iss` of its tokens, exactly; discovery starts from it. */
  readonly issuer: string;
  /** A token must be made for this audience. */
  readonly audience: string;
  /** Address of its keys; default: found by discovery. */
  readonly jwksUri?: string;
  /** Its keys themselves (RFC 7517); nothing is fetched then. */
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /** Certificate authorities of its server, PEM; default: those of the system. */
  readonly caPem?: string;
  /** Its subjects are system:serviceaccount:NAMESPACE:NAME, and each is that identity here without further entries. */
  readonly kubernetes: boolean;
  /** Which tokens prove a node. */
  readonly nodes?: {
    /** The `sub` of the agents' tokens. */
    readonly subject: string;
    /** The claim that is the node's name, by JSON pointer. */
    readonly claim: string;
  };
}

const url = { type: "string", maxLength: 2048, pattern: "^https?://", "x-remedy": "write an https:// address" };

/** What every issuer of tokens says of itself and of its keys. */
export const issuerProperties: Readonly<Record<string, JsonSchema>> = {
  issuer: { ...url, description: "The iss of its tokens, exactly; discovery starts from it." },
  jwksUri: { ...url, description: "Address of its keys; default: found by discovery." },
  jwks: {
    type: "object",
    description: "Its keys themselves (RFC 7517); nothing is fetched then.",
    required: ["keys"],
    properties: {
      keys: {
        type: "array",
        minItems: 1,
        maxItems: 64,
        description: "Public keys.",
        items: { type: "object", "x-preserve-unknown-fields": true },
      },
    },
  },
  caPem: {
    type: "string",
    maxLength: 65_536,
    description: "Certificate authorities of its server, PEM; default: those of the system.",
  },
};

/** Schema of TokenIssuerSpec. */
export const tokenIssuerSchema: JsonSchema = {
  type: "object",
  description: "A platform whose signed JWTs are proofs.",
  required: ["issuer", "audience"],
  properties: {
    ...issuerProperties,
    audience: {
      type: "string",
      minLength: 1,
      maxLength: 1024,
      description: "A token must be made for this audience.",
    },
    kubernetes: {
      type: "boolean",
      description: "Each subject system:serviceaccount:NAMESPACE:NAME is that identity here.",
      default: false,
    },
    nodes: {
      type: "object",
      description: "Which tokens prove a node.",
      required: ["subject", "claim"],
      properties: {
        subject: { type: "string", minLength: 1, maxLength: 1024, description: "The sub of the agents' tokens." },
        claim: {
          type: "string",
          pattern: "^/",
          maxLength: 1024,
          "x-remedy": 'write a JSON pointer, for example "/kubernetes.io/node/name"',
          description: "The claim that is the node's name, by JSON pointer.",
        },
      },
    },
  },
};
