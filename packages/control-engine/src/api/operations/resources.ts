// Operations on resources and their history.

import { applyRequest, rollbackRequest } from "../request-schemas.ts";
import { flag, number, text, type Operations } from "./operation.ts";

const author = text("Who changes it, for the history; taken only from the owner of the mesh home");
const reason = text("Why, for the history");

/** Routes under /v1/resources, /v1/apply, /v1/revisions, /v1/diff and /v1/rollback. */
export const resourceOperations: Operations = {
  "POST /v1/apply": {
    id: "apply",
    tag: "resources",
    summary: "Validates all files and stores their resources as one revision, or nothing",
    access: "caller",
    body: applyRequest.schema,
    answer: "#ApplyResponse",
  },
  "GET /v1/resources": {
    id: "listResources",
    tag: "resources",
    summary: "Resources with their status, in a stable order, or with watch=true every change from then on",
    access: "caller",
    query: {
      kind: text("Any name of a kind; absent: all kinds"),
      namespace: text("Only this namespace"),
      labelSelector: text("As Kubernetes has it: app=web,tier!=cache,canary,!old,env in (a,b)"),
      limit: number("Most resources of an answer, 1 to 5000", 1),
      continue: text("Where the page before ended: its field continue"),
      watch: flag("Answers line by line (application/x-ndjson), until closed"),
      since: number("With watch: only what changed after this revision; absent: what there is first"),
    },
    answer: "#ResourceList",
  },
  "GET /v1/resources/:kind/:namespace/:name": {
    id: "getResource",
    tag: "resources",
    summary: "One resource with its status; the namespace of a kind that has none is -",
    access: "caller",
    answer: "#Resource",
  },
  "DELETE /v1/resources/:kind/:namespace/:name": {
    id: "deleteResource",
    tag: "resources",
    summary: "Deletes a resource, as one revision",
    access: "caller",
    query: { author, reason, dryRun: flag("Only says what would happen") },
    answer: "#ApplyResponse",
  },
  "GET /v1/kinds": {
    id: "listKinds",
    tag: "resources",
    summary: "The kinds with their names and schemas",
    access: "caller",
    answer: "#KindList",
  },
  "GET /v1/revisions/:number/live": {
    id: "getRevisionLive",
    tag: "history",
    summary: "On how many of the proxies that it concerns a revision is in force",
    access: "caller",
    query: { waitMs: number("Waits so long for all of them, up to 300000") },
    answer: "#LiveStatus",
  },
  "GET /v1/revisions": {
    id: "listRevisions",
    tag: "history",
    summary: "Who changed what, when and why, newest first",
    access: "caller",
    query: {
      limit: number("Most revisions, 1 to 500", 1),
      before: number("Only revisions with a lower number", 1),
      kind: text("Only this kind"),
      namespace: text("Only this namespace"),
      name: text("Only this resource"),
    },
    answer: "#HistoryPage",
  },
  "GET /v1/diff": {
    id: "diffRevisions",
    tag: "history",
    summary: "The net difference between two revisions",
    access: "caller",
    query: { from: { ...number("A revision"), required: true }, to: number("A revision; absent: the newest") },
    answer: "#Diff",
  },
  "POST /v1/diff": {
    id: "diffDocuments",
    tag: "history",
    summary: "What applying files would change; changes nothing",
    access: "caller",
    body: applyRequest.schema,
    answer: "#Diff",
    isUnrecorded: true,
  },
  "POST /v1/rollback": {
    id: "rollback",
    tag: "history",
    summary: "Makes the resources of an earlier revision the current ones again, as a new revision",
    access: "caller",
    body: rollbackRequest.schema,
    answer: "#ApplyResponse",
  },
};
