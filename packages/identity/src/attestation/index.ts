// What proves who somebody is before it has an SVID: join tokens, facts of a Unix process, signed JWTs of a platform.

export {
  createJoinToken,
  hashOfSecret,
  parseJoinToken,
  type CreatedJoinToken,
  type ParsedJoinToken,
} from "./join-token.ts";
export { IssuerKeys, type IssuerSource } from "./issuer-keys.ts";
export { PlatformJwtVerifier, type PlatformClaims, type PlatformIssuer } from "./platform-jwt.ts";
export { mismatch, type ProcessFacts, type ProcessSelectors } from "./process-selectors.ts";
