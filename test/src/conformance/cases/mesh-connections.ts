// Mesh: Services known by the address that a connection goes to, and routes of whole connections.

import type { Ask, Case, Manifest } from "../case.ts";
import { call, meshRoute, NAMESPACE, parentService, port, resource, service, to } from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

/** A rule that marks its responses. */
const marked: Part = {
  filters: [
    {
      type: "ResponseHeaderModifier",
      responseHeaderModifier: { set: [{ name: "x-marked", value: "yes" }] },
    },
  ],
};
/** A TCPRoute of the Service of its name. */
const meshTcp = (name: string, parent: Part, backends: readonly Part[]): Manifest =>
  resource("TCPRoute", name, { parentRefs: [parentService(name, parent)], rules: [{ backendRefs: backends }] });
const tcpTo = (name: string, more: Part = {}): Part => ({ name, port: 9001, ...more });
const tcpCall = (name: string, number: number): Ask => ({
  ...{ from: NAMESPACE, scheme: "tcp", host: `${name}.${NAMESPACE}:${number}` },
});

/** A connection to 10.96.7.LAST, and in it a request with a Host field of another name. */
const at7 = (last: number, host: string): Ask => ({
  ...{ from: NAMESPACE, tunnel: true, host: `10.96.7.${last}:8080` },
  headers: { host },
});

/** The cases. */
export const meshConnections: readonly Case[] = [
  {
    name: "mesh-frontend-hostname",
    holds: "a Service is known by its address, whatever the Host field says",
    features: ["MeshClusterIPMatching"],
    rules: [20],
    tests: ["MeshFrontendHostname"],
    resources: [
      service("mesh-frontend-two", "backend-v2", { clusterIP: "10.96.7.2" }),
      service("mesh-frontend-one", "backend-v1", { clusterIP: "10.96.7.1" }),
      meshRoute("mesh-frontend-two", [{ ...marked, backendRefs: [to("mesh-frontend-two")] }]),
    ],
    steps: [
      { ask: at7(2, "mesh-frontend-one.conformance"), expect: { backend: "v2", headers: { "x-marked": "yes" } } },
      { ask: at7(1, "mesh-frontend-two.conformance"), expect: { backend: "v1", headers: { "x-marked": null } } },
      {
        ask: at7(2, "elsewhere.example"),
        expect: { backend: "v2", host: "elsewhere.example", headers: { "x-marked": "yes" } },
      },
    ],
  },
  {
    name: "mesh-frontend",
    holds: "a route is for calls of the Service, by name or address, and not for calls of one of its instances",
    features: ["Mesh", "HTTPRoute"],
    rules: [20],
    tests: ["MeshFrontend"],
    resources: [
      service("mesh-frontend", "backend-v2", { clusterIP: "10.96.7.3" }),
      meshRoute("mesh-frontend", [{ ...marked, backendRefs: [to("mesh-frontend")] }]),
    ],
    steps: [
      { ask: call("mesh-frontend"), expect: { backend: "v2", headers: { "x-marked": "yes" } } },
      {
        ask: { from: NAMESPACE, host: "10.96.7.3:8080" },
        expect: { backend: "v2", headers: { "x-marked": "yes" } },
      },
      {
        ask: { from: NAMESPACE, instance: "v2" },
        expect: { backend: "v2", headers: { "x-marked": null } },
      },
    ],
  },
  {
    name: "mesh-tcp",
    holds:
      "a TCPRoute of a Service carries the connections to its port, shares by weight; those of an invalid one are closed",
    features: ["Mesh", "TCPRoute"],
    rules: [17, 20],
    resources: [
      service("mesh-tcp", "backend-v3", {
        ports: [port(9001, "backend-v3", { appProtocol: "tcp" }), port(9002, "backend-v3", { appProtocol: "tcp" })],
      }),
      meshTcp("mesh-tcp", { port: 9001 }, [tcpTo("v1", { weight: 70 }), tcpTo("v2", { weight: 30 })]),
      meshTcp("mesh-tcp-half", { name: "mesh-tcp", port: 9002 }, [tcpTo("v1"), tcpTo("nowhere")]),
    ],
    steps: [
      { ask: tcpCall("mesh-tcp", 9001), expect: { backend: ["v1", "v2"] } },
      { share: tcpCall("mesh-tcp", 9001), count: 300, of: { v1: 70, v2: 30, v3: 0 }, within: 9 },
      { share: tcpCall("mesh-tcp", 9002), count: 200, of: { v1: 50, "": 50 }, within: 10 },
      {
        status: "TCPRoute conformance/mesh-tcp",
        at: "parents.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"],
      },
      {
        status: "TCPRoute conformance/mesh-tcp-half",
        at: "parents.0",
        conditions: ["ResolvedRefs=False/BackendNotFound"],
      },
    ],
  },
  {
    name: "mesh-tcp-opaque",
    holds: "what is on a port with a TCPRoute follows it, HTTP too; with an HTTPRoute on the same port that one holds",
    features: ["Mesh", "TCPRoute"],
    rules: [20],
    resources: [
      service("mesh-tcp-opaque", "backend-v1"),
      meshTcp("mesh-tcp-opaque", {}, [to("v2")]),
      service("mesh-tcp-yields", "backend-v1"),
      meshTcp("mesh-tcp-yields", {}, [to("v2")]),
      meshRoute("mesh-tcp-yields", [{ ...marked, backendRefs: [to("v3")] }]),
    ],
    steps: [
      { ask: call("mesh-tcp-opaque", { tunnel: true }), expect: { backend: "v2" } },
      { ask: call("mesh-tcp-opaque"), expect: { backend: "v2" } },
      { ask: call("mesh-tcp-yields", { tunnel: true }), expect: { backend: "v3", headers: { "x-marked": "yes" } } },
      { status: "TCPRoute conformance/mesh-tcp-yields", at: "parents.0", conditions: ["Accepted=False/Conflicted"] },
    ],
  },
];
