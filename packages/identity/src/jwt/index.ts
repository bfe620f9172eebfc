// JWT-SVIDs and SPIFFE bundle documents: for who serves or checks them. The proxy loads neither.

export {
  emptyBundle,
  formatBundle,
  jwksOf,
  MAX_BUNDLE_CHARACTERS,
  parseBundle,
  parseJwks,
  type JwtAuthority,
  type PublicJwk,
  type SpiffeBundle,
} from "./spiffe-bundle.ts";
export {
  JWT_SVID_ALGORITHMS,
  MAX_JWT_SVID_CHARACTERS,
  validateJwtSvid,
  type JwtSvidClaims,
  type JwtSvidExpectation,
} from "./validate-jwt-svid.ts";
