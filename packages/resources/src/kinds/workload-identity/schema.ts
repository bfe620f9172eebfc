// WorkloadIdentity (ripstop.mesh/v1alpha1): which proof gives an identity.

import type { JsonSchema } from "../../kind.ts";

/** Whoever fits one of the proofs that are given may be SERVICE-ACCOUNT of the resource's namespace. */
export interface WorkloadIdentitySpec {
  /** Default: the resource's name. */
  readonly serviceAccount?: string;
  /** Names of the nodes whose agents may give this identity to a process; empty: any node of the mesh. */
  readonly nodes: readonly string[];
  /** A process of such a node; every field that is given must hold. */
  readonly process?: ProcessSelectorsSpec;
  /** The bearer of a platform's token. */
  readonly jwt?: JwtSelectorSpec;
  /** Lifetime of its SVIDs, a duration from 10s to 24h; default: the mesh's. */
  readonly ttl?: string;
}

/** Facts that the kernel knows of a process. */
export interface ProcessSelectorsSpec {
  readonly uid?: number;
  readonly gid?: number;
  /** Absolute path of the program. */
  readonly executable?: string;
  /** SHA-256 of the program's bytes, hex. */
  readonly sha256?: string;
  /** A control group; the process may be in it or below it. */
  readonly cgroup?: string;
}

/** Tokens that one issuer signed. */
export interface JwtSelectorSpec {
  /** Name of a TokenIssuer. */
  readonly issuer: string;
  /** The token's `sub`. */
  readonly subject?: string;
  /** Claims by name, or by JSON pointer (RFC 6901) when the key begins with a slash. */
  readonly claims?: Readonly<Record<string, string>>;
}

const MAX_ID = 4_294_967_294;
const path = { type: "string", pattern: "^/", maxLength: 4096, "x-remedy": "write an absolute path" };

/** Schema of WorkloadIdentitySpec. */
export const workloadIdentitySchema: JsonSchema = {
  type: "object",
  description: "Which proof gives the identity of a service account.",
  properties: {
    serviceAccount: { type: "string", format: "dns-label", description: "Default: the name of the resource." },
    nodes: {
      type: "array",
      description: "Nodes whose agents may give this identity to a process; empty for any.",
      maxItems: 10_000,
      items: { type: "string", format: "dns-subdomain" },
      default: [],
    },
    process: {
      type: "object",
      description: "A process of such a node; every field that is given must hold.",
      minProperties: 1,
      properties: {
        uid: { type: "integer", minimum: 0, maximum: MAX_ID, description: "Effective user id." },
        gid: { type: "integer", minimum: 0, maximum: MAX_ID, description: "Effective group id." },
        executable: { ...path, description: "Absolute path of the program." },
        sha256: {
          type: "string",
          pattern: "^[0-9a-f]{64}$",
          "x-remedy": "write 64 hexadecimal digits in lower case, as sha256sum prints them",
          description: "SHA-256 of the program's bytes.",
        },
        cgroup: { ...path, description: "A control group; the process may be in it or below it." },
      },
    },
    jwt: {
      type: "object",
      description: "The bearer of a platform's token.",
      required: ["issuer"],
      properties: {
        issuer: { type: "string", format: "dns-subdomain", description: "Name of a TokenIssuer." },
        subject: { type: "string", minLength: 1, maxLength: 1024, description: "The token's sub." },
        claims: {
          type: "object",
          description: "Claims that the token must have, by name, or by JSON pointer (RFC 6901).",
          minProperties: 1,
          maxProperties: 32,
          additionalProperties: { type: "string", maxLength: 1024 },
        },
      },
    },
    ttl: { type: "string", format: "duration", description: "Lifetime of its SVIDs, 10s to 24h." },
  },
};
