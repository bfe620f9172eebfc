// Operations for looking.

import { listOf } from "./answer-schemas.ts";
import { flag, number, text, type Operations } from "./operation.ts";

/** Routes for looking. */
export const observeOperations: Operations = {
  "GET /v1/graph": {
    id: "getGraph",
    tag: "observation",
    summary: "The live graph of the services; rates are means over 10 s",
    access: "viewer",
    answer: "#Graph",
  },
  "GET /v1/tap": {
    id: "tap",
    tag: "observation",
    summary: "Live requests, one JSON object a line, until closed",
    access: "viewer",
    query: {
      source: text("Only from this service"),
      destination: text("Only to this service"),
      path: text("Only paths that begin with this"),
      minStatus: number("Only answers with at least this status"),
    },
    answer: { type: "object" },
    answerType: "application/x-ndjson",
  },
  "GET /v1/events": {
    id: "listEvents",
    tag: "observation",
    summary: "What happened in the mesh",
    access: "viewer",
    query: { after: number("Only events with a higher number") },
    answer: listOf("events", "#MeshEvent"),
  },
  "GET /v1/egress": {
    id: "listEgress",
    tag: "observation",
    summary: "Calls of hosts outside the mesh that no ExternalService declares, or that went through a Gateway",
    access: "viewer",
    answer: listOf("seen", "#EgressSeenView"),
  },
  "GET /v1/mirrors": {
    id: "listMirrors",
    tag: "observation",
    summary: "How copies of requests compare with what was answered",
    access: "viewer",
    answer: listOf("mirrors", "#MirrorView"),
  },
  "GET /v1/proxies": {
    id: "listProxies",
    tag: "observation",
    summary:
      "The proxies that have a config stream, at whichever control plane; and the control planes that do not answer",
    access: "viewer",
    query: { here: flag("Only those that are connected to the control plane that answers") },
    answer: "#ProxyList",
  },
  "GET /v1/info": {
    id: "getInfo",
    tag: "operation",
    summary: "About the control plane",
    access: "caller",
    answer: "#ControlInfo",
  },
  "GET /healthz": {
    id: "getHealth",
    tag: "operation",
    summary: "For probes: whether the control plane answers",
    access: "public",
    answer: { type: "string" },
    answerType: "text/plain",
  },
  "GET /metrics": {
    id: "getMetrics",
    tag: "operation",
    summary: "For Prometheus",
    access: "viewer",
    answer: { type: "string" },
    answerType: "text/plain",
  },
};
