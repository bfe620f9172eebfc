// The certificate authority (control plane only).

export type { Authority, CaCertificate, IssuedSvid, IssueRefusal, OpenAuthority } from "./authority.ts";
export type { PastRotation, RotationRecord } from "./authority-state.ts";
export { checkCsrAhead } from "./csr-check.ts";
export { openJwtIssuer, type IssuedJwtSvid, type JwtIssuer, type JwtIssuerOptions } from "./jwt-issuer.ts";
export { FileKeyStore, keyKinds, type KeyKind, type KeyStore, type SigningKey } from "./key-store.ts";
export { openAuthority, type AuthorityOptions } from "./open-authority.ts";
export {
  adoptAuthority,
  SealingKey,
  shareAuthority,
  type SharedAuthority,
  type SharedRecords,
  type SharedText,
} from "./shared-authority.ts";
export { identityRevoked } from "../errors.ts";
export { startOwnIdentity, type KeyedSvid, type OwnIdentity, type OwnIdentityOptions } from "./own-identity.ts";
