// Violations of an HTTPRoute: as strict as the published CRD, and plain about what is not supported yet.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { readResource, violationsOf } from "../fixtures.suite.ts";
import { kind } from "./index.ts";

const text = (spec: string): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, spec: ${spec}}`;
const violations = (spec: string): string[] => violationsOf(kind, text(spec));
const inRule = (rule: string): string[] => violations(`{rules: [${rule}]}`);

/** Asserts that there is exactly one violation and that it fits. */
function only(found: readonly string[], expected: RegExp): void {
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

describe("HTTPRoute", () => {
  it("has the defaults of the published CRD", () => {
    const { spec } = readResource(
      kind,
      text('{parentRefs: [{group: "", kind: Service, name: a}], rules: [{backendRefs: [{name: a, port: 1}]}]}'),
    );
    assert.deepEqual(spec.rules, [
      {
        matches: [{ path: { type: "PathPrefix", value: "/" } }],
        backendRefs: [{ group: "", kind: "Service", name: "a", port: 1, weight: 1 }],
      },
    ]);
    assert.deepEqual(readResource(kind, text("{}")).spec.rules, [
      { matches: [{ path: { type: "PathPrefix", value: "/" } }] },
    ]);
    const [rule] = readResource(
      kind,
      text("{rules: [{matches: [{headers: [{name: a, value: b}]}, {path: {value: /x}}]}]}"),
    ).spec.rules;
    assert.deepEqual(rule?.matches, [
      { path: { type: "PathPrefix", value: "/" }, headers: [{ type: "Exact", name: "a", value: "b" }] },
      { path: { type: "PathPrefix", value: "/x" } },
    ]);
  });

  it("takes Gateways, ListenerSets and Services as parents, and nothing else", () => {
    assert.deepEqual(violations("{parentRefs: [{name: gw}, {kind: ListenerSet, name: more}]}"), []);
    only(violations("{parentRefs: [{kind: Pod, name: a}]}"), /^spec\.parentRefs\[0\]\.kind — a parent of kind Pod/);
  });

  it("refuses one parent named twice, and a Service named with and without a port", () => {
    const service = '{group: "", kind: Service, name: a';
    only(
      violations(`{parentRefs: [${service}}, ${service}, namespace: shop}]}`),
      /^spec\.parentRefs\[1\] — Service shop\/a is named twice/,
    );
    only(
      violations(`{parentRefs: [${service}, port: 1}, ${service}}]}`),
      /^spec\.parentRefs\[1\] — .*not every time in the same way/,
    );
    only(
      violations(`{parentRefs: [${service}, port: 1}, ${service}, sectionName: http}]}`),
      /not every time in the same way/,
    );
    assert.deepEqual(violations(`{parentRefs: [${service}, port: 1}, ${service}, port: 2}]}`), []);
  });

  it("says that ExtensionRef is not supported instead of ignoring it", () => {
    only(
      inRule("{filters: [{type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}}]}"),
      /^spec\.rules\[0\]\.filters\[0\]\.type — .*not supported/,
    );
  });

  it("takes sessionPersistence, and says what of it does not fit together", () => {
    assert.deepEqual(inRule("{sessionPersistence: {}}"), []);
    only(
      inRule("{sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}}"),
      /^spec\.rules\[0\]\.sessionPersistence\.absoluteTimeout — /,
    );
  });

  it("accepts regular expressions that can be matched in linear time, and refuses others at their place", () => {
    assert.deepEqual(inRule("{matches: [{path: {type: RegularExpression, value: '/v[0-9]+(/.*)?'}}]}"), []);
    only(
      inRule("{matches: [{path: {type: RegularExpression, value: '(?=a)'}}]}"),
      /^spec\.rules\[0\]\.matches\[0\]\.path\.value — the pattern is not in the syntax/,
    );
    for (const field of ["headers", "queryParams"]) {
      only(
        inRule(`{matches: [{${field}: [{type: RegularExpression, name: a, value: '(a'}]}]}`),
        new RegExp(`${field}\\[0\\]\\.value — the pattern is not in the syntax`),
      );
    }
    only(
      inRule("{matches: [{headers: [{type: RegularExpression, name: host, value: 'a'}]}]}"),
      /of type Exact for each name/,
    );
  });

  for (const path of [
    "books",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/..",
    "/a/.",
    "/a%2fb",
    "/a%2Fb",
    "/a b",
    "/a%zz",
    "/ä",
    "",
  ]) {
    it(`refuses the path "${path}"`, () => {
      only(inRule(`{matches: [{path: {value: "${path}"}}]}`), /^spec\.rules\[0\]\.matches\[0\]\.path\.value — /);
    });
  }

  it("refuses two matches, rules or header actions of one name", () => {
    only(
      inRule("{matches: [{headers: [{name: a, value: b}, {name: a, value: c}]}]}"),
      /matches\[0\]\.headers\[1\]\.name — "a" is named twice/,
    );
    only(violations("{rules: [{name: x}, {name: x}]}"), /^spec\.rules\[1\]\.name — another rule is called "x" too/);
    only(
      inRule(
        "{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, value: b}], remove: [a]}}]}",
      ),
      /requestHeaderModifier\.remove\[0\] — "a" has another action already/,
    );
  });

  it("refuses header matches that could never hold", () => {
    const header = (name: string, value: string): string[] =>
      inRule(`{matches: [{headers: [{name: ${name}, value: "${value}"}]}]}`);
    only(header("Transfer-Encoding", "chunked"), /headers\[0\]\.name — "Transfer-Encoding" belongs to the connection/);
    only(header("host", "a.shop:80"), /headers\[0\]\.value — .*without port/);
    only(header("Host", "*.shop"), /headers\[0\]\.value — "\*\.shop" is not one host name/);
    assert.deepEqual(header("Host", "Catalog.shop"), []);
  });

  it("refuses to change fields of connection and framing, and values that could split a message", () => {
    const modifier = (body: string): string[] =>
      inRule(`{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: ${body}}]}`);
    only(
      modifier("{set: [{name: Content-Length, value: '1'}]}"),
      /set\[0\]\.name — "Content-Length" cannot be changed/,
    );
    only(modifier('{add: [{name: a, value: "b\\r\\nc: d"}]}'), /add\[0\]\.value — .*does not have the right form/);
  });

  it("refuses a filter without its body, with another's body, and twice", () => {
    only(inRule("{filters: [{type: RequestHeaderModifier}]}"), /filters\[0\] — requestHeaderModifier is missing/);
    only(
      inRule("{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}, responseHeaderModifier: {}}]}"),
      /filters\[0\]\.responseHeaderModifier — .*does not belong/,
    );
    const one = "{type: RequestHeaderModifier, requestHeaderModifier: {}}";
    only(inRule(`{filters: [${one}, ${one}]}`), /filters\[1\]\.type — .*there twice/);
  });

  it("needs a port for a Service backend and only for that", () => {
    only(inRule("{backendRefs: [{name: a}]}"), /backendRefs\[0\]\.port — the port is missing/);
    assert.deepEqual(inRule("{backendRefs: [{kind: Bucket, group: storage.example, name: a}]}"), []);
  });

  it("refuses a try that may take longer than the whole request, but for a request without limit", () => {
    only(inRule("{timeouts: {request: 1s, backendRequest: 1500ms}}"), /timeouts\.backendRequest — /);
    assert.deepEqual(inRule("{timeouts: {request: 0s, backendRequest: 1500ms}}"), []);
    assert.deepEqual(inRule("{timeouts: {request: 2s, backendRequest: 2s}}"), []);
    assert.equal(inRule("{timeouts: {request: 1.5s}}").length, 1);
  });

  it("refuses more than 128 matches in a route", () => {
    const rule = `{matches: [${Array.from({ length: 43 }, () => "{}").join(", ")}]}`;
    only(violations(`{rules: [${rule}, ${rule}, ${rule}]}`), /^spec\.rules — the rules have 129 matches in all/);
  });
});
