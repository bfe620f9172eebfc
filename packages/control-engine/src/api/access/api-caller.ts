// Who calls the API, and what the roles allow.

import type { AccessRole } from "@ripstop/resources";

/** A role and where it holds. */
export interface Grant {
  readonly role: AccessRole;
  /** undefined: in the whole mesh, cluster-wide kinds included. */
  readonly namespaces: readonly string[] | undefined;
}

/** Who calls. */
export interface ApiCaller {
  /** How the history and the audit log name it: "jo", "token ci (3f2a9c01b4d7)", "jo@example.com of company". */
  readonly name: string;
  readonly method: "socket" | "dashboard" | "token" | "oidc" | "nobody";
  /** Remote address; "" for a socket. */
  readonly from: string;
  /** What it may do now: empty once a token was revoked or has expired. */
  grants(): readonly Grant[];
}

/** Somebody who may do nothing. */
export const nobody: ApiCaller = { name: "", method: "nobody", from: "", grants: () => [] };

/** Who can open the socket of the home owns the mesh. */
export const owner: ApiCaller = {
  name: "",
  method: "socket",
  from: "",
  grants: () => [{ role: "admin", namespaces: undefined }],
};

/** Whoever is on this machine may look at the dashboard. */
export const dashboardViewer: ApiCaller = {
  name: "dashboard",
  method: "dashboard",
  from: "127.0.0.1",
  grants: () => [{ role: "viewer", namespaces: undefined }],
};

const RANKS: Readonly<Record<AccessRole, number>> = { viewer: 1, editor: 2, admin: 3 };

/**
 * Whether the caller has the role (or a higher one) in `namespace`. undefined stands for the whole mesh, and so does
 * "", the namespace of kinds that live in none.
 */
export function allows(caller: ApiCaller, role: AccessRole, namespace: string | undefined): boolean {
  return caller
    .grants()
    .some(
      (grant) =>
        RANKS[grant.role] >= RANKS[role] &&
        (grant.namespaces === undefined ||
          (namespace !== undefined && namespace !== "" && grant.namespaces.includes(namespace))),
    );
}

/** Kinds whose content only those see who may change it. */
const SECRET_KINDS: ReadonlySet<string> = new Set(["Secret"]);

/** Whether the caller may see a resource of this kind and namespace ("" for none). */
export function maySee(caller: ApiCaller, kind: string, namespace: string): boolean {
  return allows(caller, SECRET_KINDS.has(kind) ? "editor" : "viewer", namespace);
}

/** Whether the caller may change a resource of this namespace. What lives in no namespace is the admins' affair. */
export function mayChange(caller: ApiCaller, namespace: string): boolean {
  return namespace === "" ? allows(caller, "admin", undefined) : allows(caller, "editor", namespace);
}
