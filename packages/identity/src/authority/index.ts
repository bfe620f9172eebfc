// The certificate authority (control plane only).

export type { Authority, IssuedSvid, IssueRefusal } from "./authority.ts";
