// The certificate authority (control plane only).

export type { Authority, IssuedSvid, IssueRefusal } from "./authority.ts";
export { checkCsr } from "./csr-check.ts";
export { FileKeyStore, type KeyStore, type SigningKey } from "./key-store.ts";
export { openAuthority, type AuthorityOptions, type OpenAuthority } from "./open-authority.ts";
export { startOwnIdentity, type KeyedSvid, type OwnIdentity, type OwnIdentityOptions } from "./own-identity.ts";
