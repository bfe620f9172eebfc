// Operations on workloads, nodes and join tokens.

import { joinTokenRequest } from "../../join/join-schemas.ts";
import { jwtSvidRequest, registerRequest, svidRequest, workloadStatus } from "../request-schemas.ts";
import { listOf } from "./answer-schemas.ts";
import type { Operations } from "./operation.ts";

/** Routes under /v1/workloads, /v1/nodes and /v1/join/tokens. */
export const workloadOperations: Operations = {
  "POST /v1/workloads": {
    id: "registerWorkload",
    tag: "workloads",
    summary: "Registers a workload and issues its first certificate",
    access: "admin",
    body: registerRequest.schema,
    answer: "#RegisterResponse",
  },
  "GET /v1/workloads": {
    id: "listWorkloads",
    tag: "workloads",
    summary: "All workloads",
    access: "viewer",
    answer: listOf("workloads", "#WorkloadView"),
  },
  "PUT /v1/workloads/:namespace/:instance": {
    id: "reportWorkload",
    tag: "workloads",
    summary: "Heartbeat and state of a workload; a lease lasts 10 s",
    access: "admin",
    body: workloadStatus.schema,
    answer: "#HeartbeatResponse",
    isUnrecorded: true,
  },
  "DELETE /v1/workloads/:namespace/:instance": {
    id: "leaveWorkload",
    tag: "workloads",
    summary: "A workload leaves",
    access: "admin",
    answer: { type: "object" },
  },
  "POST /v1/workloads/:namespace/:instance/svid": {
    id: "renewWorkloadSvid",
    tag: "workloads",
    summary: "Renews the certificate of a workload",
    access: "admin",
    body: svidRequest.schema,
    answer: "#SvidResponse",
    isUnrecorded: true,
  },
  "POST /v1/workloads/:namespace/:instance/jwt-svid": {
    id: "issueWorkloadJwtSvid",
    tag: "workloads",
    summary: "Issues a JWT-SVID for a workload",
    access: "admin",
    body: jwtSvidRequest.schema,
    answer: "#JwtSvidResponse",
    isUnrecorded: true,
  },
  "GET /v1/nodes": {
    id: "listNodes",
    tag: "workloads",
    summary: "Hosts whose agents have joined",
    access: "viewer",
    answer: listOf("nodes", "#NodeView"),
  },
  "DELETE /v1/nodes/:name": {
    id: "removeNode",
    tag: "workloads",
    summary: "Removes a node; it has to join again",
    access: "admin",
    answer: "#NodeView",
  },
  "POST /v1/join/tokens": {
    id: "createJoinToken",
    tag: "workloads",
    summary: "Makes a one-time token by which a workload or a node joins",
    access: "admin",
    body: joinTokenRequest.schema,
    answer: "#CreatedJoinTokenView",
  },
  "GET /v1/join/tokens": {
    id: "listJoinTokens",
    tag: "workloads",
    summary: "The join tokens, without their secrets",
    access: "viewer",
    answer: listOf("tokens", "#JoinTokenView"),
  },
  "DELETE /v1/join/tokens/:id": {
    id: "revokeJoinToken",
    tag: "workloads",
    summary: "Makes a join token useless",
    access: "admin",
    answer: "#JoinTokenView",
  },
};
