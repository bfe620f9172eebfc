// TokenIssuer: a platform whose signed JWTs are proofs.

import type { Kind } from "../../kind.ts";
import type { Violation } from "../../violation.ts";
import { tokenIssuerSchema, type TokenIssuerSpec } from "./schema.ts";

export type { TokenIssuerSpec } from "./schema.ts";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** The kind TokenIssuer. */
export const tokenIssuerKind: Kind<TokenIssuerSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "TokenIssuer",
  plural: "tokenissuers",
  shortNames: [],
  namespaced: false,
  schema: tokenIssuerSchema,
  validate({ spec }) {
    const problems: Problem[] = [];
    const fetched: [string, string | undefined][] = [
      ["spec.jwksUri", spec.jwksUri],
      // With keys at hand the issuer is a name only.
      ["spec.issuer", spec.jwks === undefined && spec.jwksUri === undefined ? spec.issuer : undefined],
    ];
    for (const [path, address] of fetched) {
      if (address === undefined) continue;
      if (!URL.canParse(address)) {
        problems.push({ path, message: "it is no address", remedy: "write https://HOST/PATH" });
      } else if (!address.startsWith("https://") && !/^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(address)) {
        problems.push({
          path,
          message: "keys are not fetched over plain HTTP",
          remedy: "use https, with caPem for a private authority",
        });
      }
    }
    if (spec.jwks !== undefined && spec.jwksUri !== undefined) {
      problems.push({ path: "spec.jwksUri", message: "jwks is given as well", remedy: "keep one of the two" });
    }
    for (const [index, key] of (spec.jwks?.keys ?? []).entries()) {
      if ("d" in key || "k" in key) {
        problems.push({
          path: `spec.jwks.keys[${index}]`,
          message: "this is a private or shared key",
          remedy: "give the public key only, and replace that key: it has been shown",
        });
      }
    }
    return problems;
  },
  validateReferences({ metadata, spec }, lookup) {
    for (const other of lookup.list("TokenIssuer")) {
      if (other.metadata.name === metadata.name) continue;
      const { issuer } = other.spec as TokenIssuerSpec;
      if (issuer !== spec.issuer) continue;
      return [
        {
          path: "spec.issuer",
          message: `TokenIssuer ${other.metadata.name} is for the same issuer`,
          remedy: "keep one of the two",
        },
      ];
    }
    return [];
  },
};
