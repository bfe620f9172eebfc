// Conditions of an HTTPRoute.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { readResource } from "../fixtures.suite.ts";
import { routeStatus, kind, serviceBackends, type FindService, type RouteParentStatus } from "./index.ts";

const findService: FindService = (namespace, name) =>
  namespace === "shop" && name === "catalog" ? { namespace, name, ports: [{ port: 8080, name: "http" }] } : undefined;

function statusOf(spec: string): RouteParentStatus[] {
  const route = readResource(
    kind,
    `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, spec: ${spec}}`,
  );
  const stored = { ...route, metadata: { ...route.metadata, generation: 7 } };
  return routeStatus(stored, { findService, resolveBackend: serviceBackends(findService) });
}

const parent = '{group: "", kind: Service, name: catalog}';
const conditions = (spec: string): string[] =>
  statusOf(spec)
    .flatMap((status) => status.conditions)
    .map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe("status of a route", () => {
  it("has an entry for each parent, with the parentRef as the route has it and the generation it was judged by", () => {
    const found = statusOf(`{parentRefs: [${parent}, {group: "", kind: Service, name: web, namespace: other}]}`);
    assert.deepEqual(
      found.map(({ parentRef }) => parentRef),
      [
        { group: "", kind: "Service", name: "catalog" },
        { group: "", kind: "Service", name: "web", namespace: "other" },
      ],
    );
    for (const { controllerName, conditions: list } of found) {
      assert.equal(controllerName, "ripstop.mesh/control");
      assert.deepEqual(
        list.map(({ observedGeneration }) => observedGeneration),
        [7, 7],
      );
    }
  });

  it("accepts a route whose Service is there, and not one whose Service or port is not", () => {
    assert.deepEqual(conditions(`{parentRefs: [${parent}]}`), [
      "Accepted=True Accepted",
      "ResolvedRefs=True ResolvedRefs",
    ]);
    const missing = [
      '{group: "", kind: Service, name: web}',
      '{group: "", kind: Service, name: catalog, port: 1}',
      '{group: "", kind: Service, name: catalog, sectionName: grpc}',
    ];
    for (const one of missing) assert.equal(conditions(`{parentRefs: [${one}]}`)[0], "Accepted=False NoMatchingParent");
    const message = statusOf(`{parentRefs: [${missing[1]}]}`)[0]?.conditions[0]?.message;
    assert.equal(message, "Service shop/catalog has no port 1; it has 8080 (http)");
  });

  it("judges backends apart from parents, and names the reference that does not resolve", () => {
    const spec = (backend: string): string => `{parentRefs: [${parent}], rules: [{}, {backendRefs: [${backend}]}]}`;
    assert.deepEqual(conditions(spec("{name: nowhere, port: 1}")), [
      "Accepted=True Accepted",
      "ResolvedRefs=False BackendNotFound",
    ]);
    assert.deepEqual(conditions(spec("{kind: Bucket, name: b}")), [
      "Accepted=True Accepted",
      "ResolvedRefs=False InvalidKind",
    ]);
    const message = statusOf(spec("{name: nowhere, port: 1}"))[0]?.conditions[1]?.message;
    assert.equal(message, "spec.rules[1].backendRefs[0]: there is no Service shop/nowhere");
  });

  it("names a mirror that does not resolve, of a rule or of a backend", () => {
    const mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: nowhere, port: 1}}}";
    const places = {
      [`{filters: [${mirror}]}`]: "spec.rules[0].filters[0]",
      [`{backendRefs: [{name: catalog, port: 8080, filters: [${mirror}]}]}`]: "spec.rules[0].backendRefs[0].filters[0]",
    };
    for (const [rule, place] of Object.entries(places)) {
      const [, resolved] = statusOf(`{parentRefs: [${parent}], rules: [${rule}]}`)[0]?.conditions ?? [];
      assert.equal(resolved?.reason, "BackendNotFound");
      assert.equal(resolved.message, `${place}.requestMirror.backendRef: there is no Service shop/nowhere`);
    }
  });

  it("names the same stronger route in whatever order routes came", () => {
    const text = (name: string): string =>
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: shop}, spec: {parentRefs: [${parent}]}}`;
    const rivals = ["b", "a"].map((name) => ({ ...readResource(kind, text(name)), kind: "GRPCRoute" }));
    for (const inOrder of [rivals, rivals.toReversed()]) {
      const [status] = routeStatus(readResource(kind, text("r")), {
        findService,
        resolveBackend: serviceBackends(findService),
        routesOf: (_namespace, _name, wanted) => (wanted === "GRPCRoute" ? inOrder : []),
      });
      assert.match(status?.conditions[0]?.message ?? "", /^GRPCRoute shop\/a is attached to the same ports/);
    }
  });
});
