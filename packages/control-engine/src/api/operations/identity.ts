// Operations on identities, roots and revocations.

import { forceRequest, issueRequest, revokeRequest } from "../request-schemas.ts";
import { listOf } from "./answer-schemas.ts";
import { number, text, type Operations } from "./operation.ts";

/** Routes under /v1/identity. */
export const identityOperations: Operations = {
  "GET /v1/identity/identities": {
    id: "listIdentities",
    tag: "identity",
    summary: "Every identity that something was issued to in the last 24 hours",
    access: "viewer",
    answer: "#IdentityList",
  },
  "GET /v1/identity/identity": {
    id: "getIdentity",
    tag: "identity",
    summary: "One identity with its certificates",
    access: "viewer",
    query: { id: { ...text("SPIFFE id"), required: true } },
    answer: "#IdentityDetails",
  },
  "GET /v1/identity/revocations": {
    id: "listRevocations",
    tag: "identity",
    summary: "What is revoked",
    access: "viewer",
    answer: listOf("revocations", "#RevocationView"),
  },
  "POST /v1/identity/revocations": {
    id: "revoke",
    tag: "identity",
    summary: "Revokes an identity or one certificate, and waits for the proxies",
    access: "admin",
    body: revokeRequest.schema,
    answer: "#RevokeResponse",
  },
  "DELETE /v1/identity/revocations": {
    id: "unrevoke",
    tag: "identity",
    summary: "Takes a revocation back",
    access: "admin",
    query: { spiffeId: text("The identity"), serialNumber: text("Or the certificate, in hex") },
    answer: "#RevokeResponse",
  },
  "POST /v1/identity/issue": {
    id: "issueSvid",
    tag: "identity",
    summary: "Issues a certificate for a key outside the mesh",
    access: "admin",
    body: issueRequest.schema,
    answer: "#IssueResponse",
  },
  "GET /v1/identity/bundle": {
    id: "getTrustBundle",
    tag: "identity",
    summary: "The root certificates of the mesh",
    access: "caller",
    answer: "#TrustBundleView",
  },
  "GET /v1/identity/bundles": {
    id: "getTrustBundles",
    tag: "identity",
    summary: "The bundles of this and of all federated trust domains; waits for others than `after`",
    access: "viewer",
    query: { after: text("Version that is known already"), waitMs: number("Waits so long, up to 300000") },
    answer: "#BundlesView",
  },
  "GET /v1/identity/health": {
    id: "getIdentityHealth",
    tag: "identity",
    summary: "Roots, their lives, and alarms",
    access: "viewer",
    answer: "#IdentityHealth",
  },
  "GET /v1/identity/rotation": {
    id: "getRotation",
    tag: "identity",
    summary: "How far the rotation of the root is",
    access: "viewer",
    answer: "#RotationStatus",
  },
  "POST /v1/identity/rotation": {
    id: "startRotation",
    tag: "identity",
    summary: "Starts to exchange the root, or forces its next step",
    access: "admin",
    body: forceRequest.schema,
    answer: "#RotationStatus",
  },
  "DELETE /v1/identity/rotation": {
    id: "abortRotation",
    tag: "identity",
    summary: "Gives the rotation up, while the new root does not sign yet",
    access: "admin",
    answer: "#RotationStatus",
  },
  "POST /v1/identity/recovery": {
    id: "recoverRoot",
    tag: "identity",
    summary: "Makes a new root in place of all others",
    access: "admin",
    body: forceRequest.schema,
    answer: "#IdentityHealth",
  },
};
