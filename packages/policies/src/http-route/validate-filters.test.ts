// Violations of the filters and retries of an HTTPRoute: each CEL rule of the published CRD (v1.6.1), and its defaults.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { readResource, violationsOf } from "../fixtures.suite.ts";
import { kind } from "./index.ts";

const text = (rule: string): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, spec: {rules: [${rule}]}}`;
const inRule = (rule: string): string[] => violationsOf(kind, text(rule));
const filters = (...list: readonly string[]): string[] => inRule(`{filters: [${list.join(", ")}]}`);

/** Asserts that there is exactly one violation and that it fits. */
function only(found: readonly string[], expected: RegExp): void {
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

const redirect = (body: string): string => `{type: RequestRedirect, requestRedirect: {${body}}}`;
const rewrite = (body: string): string => `{type: URLRewrite, urlRewrite: {${body}}}`;
const mirror = (body: string): string => `{type: RequestMirror, requestMirror: {${body}}}`;
const cors = (body: string): string => `{type: CORS, cors: {${body}}}`;
const to = "backendRef: {name: a, port: 1}";
const prefix = 'path: {type: ReplacePrefixMatch, replacePrefixMatch: "/x"}';

describe("filters of an HTTPRoute", () => {
  it("have the defaults of the published CRD", () => {
    const [rule] = readResource(
      kind,
      text(
        `{filters: [${redirect("")}, ${mirror(`${to}, fraction: {numerator: 3}`)}, ${cors("")}], retry: {attempts: 1}}`,
      ),
    ).spec.rules;
    const backendRef = { group: "", kind: "Service", name: "a", port: 1 };
    assert.deepEqual(rule?.filters, [
      { type: "RequestRedirect", requestRedirect: { statusCode: 302 } },
      { type: "RequestMirror", requestMirror: { backendRef, fraction: { numerator: 3, denominator: 100 } } },
      { type: "CORS", cors: { maxAge: 5 } },
    ]);
    assert.deepEqual(rule.retry, { attempts: 1 });
  });

  it("may be of each kind, several only of mirrors", () => {
    const modifier = "{type: RequestHeaderModifier, requestHeaderModifier: {}}";
    assert.deepEqual(filters(modifier, rewrite("hostname: a.b"), mirror(to), mirror(to), cors("")), []);
    for (const one of [redirect("port: 1"), rewrite("hostname: a.b"), cors(""), modifier]) {
      only(filters(one, one), /filters\[1\]\.type — .* is there twice/);
    }
  });

  it("must hold the body of their type and no other", () => {
    const bodies = {
      RequestRedirect: "requestRedirect",
      URLRewrite: "urlRewrite",
      RequestMirror: "requestMirror",
      CORS: "cors",
    };
    for (const [type, field] of Object.entries(bodies)) {
      only(filters(`{type: ${type}}`), new RegExp(`filters\\[0\\] — ${field} is missing`));
    }
    only(
      filters("{type: CORS, cors: {}, urlRewrite: {}}"),
      /filters\[0\]\.urlRewrite — urlRewrite does not belong in a filter of type CORS/,
    );
  });

  it("are not both a redirect and a rewrite, and no redirect stands beside backends", () => {
    only(filters(redirect(""), rewrite("")), /filters\[1\]\.type — RequestRedirect and URLRewrite exclude each other/);
    only(
      inRule(`{filters: [${redirect("")}], backendRefs: [{name: a, port: 1}]}`),
      /filters\[0\]\.type — the rule has a RequestRedirect and backendRefs too/,
    );
    assert.deepEqual(inRule(`{filters: [${redirect("")}], backendRefs: []}`), []);
    assert.deepEqual(inRule(`{backendRefs: [{name: a, port: 1, filters: [${redirect("")}]}]}`), []);
  });

  it("replace a prefix only in a rule with exactly one match, and that of a prefix", () => {
    for (const filter of [redirect(prefix), rewrite(prefix)]) {
      const wrong = /path\.type — ReplacePrefixMatch needs a rule with exactly one match/;
      assert.deepEqual(filters(filter), []);
      assert.deepEqual(inRule(`{matches: [{path: {value: /a}}], filters: [${filter}]}`), []);
      only(inRule(`{matches: [{path: {type: Exact, value: /a}}], filters: [${filter}]}`), wrong);
      only(inRule(`{matches: [{path: {value: /a}}, {path: {value: /b}}], filters: [${filter}]}`), wrong);
      only(
        inRule(
          `{matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: a, port: 1, filters: [${filter}]}]}`,
        ),
        /backendRefs\[0\]\.filters\[0\]\..*path\.type — ReplacePrefixMatch needs/,
      );
    }
  });

  it("name the path that their type wants, and one that could be asked for", () => {
    only(filters(rewrite("path: {type: ReplaceFullPath}")), /urlRewrite\.path — replaceFullPath is missing/);
    only(filters(rewrite("path: {type: ReplacePrefixMatch}")), /urlRewrite\.path — replacePrefixMatch is missing/);
    only(
      filters(rewrite("path: {type: ReplaceFullPath, replaceFullPath: /a, replacePrefixMatch: /b}")),
      /path\.replacePrefixMatch — replacePrefixMatch does not belong in a path of type ReplaceFullPath/,
    );
    const full = (path: string): string[] =>
      filters(redirect(`path: {type: ReplaceFullPath, replaceFullPath: ${JSON.stringify(path)}}`));
    for (const path of ["/", "", "/a/b%20c"]) assert.deepEqual(full(path), [], path);
    for (const path of ["a", "/a//b", "/a/../b", "/a?b", "/a#b", "/a b", "/a\r\nx: y", "/a%2fb"]) {
      only(full(path), /path\.replaceFullPath — /);
    }
  });

  it("redirect with the schemes, ports, hosts and statuses that there are", () => {
    for (const body of ["scheme: ftp", "port: 0", "port: 65536", "statusCode: 304", 'hostname: "*.a"', "hostname: A.b"])
      only(filters(redirect(body)), /requestRedirect\./);
    for (const status of [301, 302, 303, 307, 308])
      assert.deepEqual(filters(redirect(`statusCode: ${status}, scheme: https`)), []);
  });

  it("mirror a share that is one, to a Service with a port", () => {
    only(filters(mirror("backendRef: {name: a}")), /backendRef\.port — the port is missing/);
    only(filters(mirror(`${to}, percent: 101`)), /requestMirror\.percent/);
    only(
      filters(mirror(`${to}, percent: 1, fraction: {numerator: 1}`)),
      /requestMirror\.fraction — percent and fraction/,
    );
    only(filters(mirror(`${to}, fraction: {numerator: 101}`)), /fraction\.numerator — 101 of 100 is more than all/);
    only(filters(mirror(`${to}, fraction: {numerator: 1, denominator: 0}`)), /fraction\.denominator/);
    assert.deepEqual(filters(mirror(`${to}, fraction: {numerator: 1, denominator: 1000}`)), []);
  });

  it("let in origins that there are, and everything only by itself", () => {
    for (const origin of ["*", "https://a.b", "http://*.a.b:8080", "https://*", "http://10.0.0.1:65535"])
      assert.deepEqual(filters(cors(`allowOrigins: ["${origin}"]`)), [], origin);
    for (const origin of ["a.b", "ftp://a.b", "https://a.b/", "https://a.*.b", "null", "https://a.b:65536"])
      only(filters(cors(`allowOrigins: ["${origin}"]`)), /cors\.allowOrigins\[0\] — /);
    only(filters(cors('allowOrigins: ["*", "https://a.b"]')), /cors\.allowOrigins — "\*" stands beside others/);
    only(filters(cors('allowMethods: ["*", GET]')), /cors\.allowMethods — /);
    only(filters(cors('allowHeaders: ["*", a]')), /cors\.allowHeaders — /);
    only(filters(cors("allowMethods: [get]")), /cors\.allowMethods\[0\]/);
    only(filters(cors("maxAge: 0")), /cors\.maxAge/);
  });

  it("of a backend are checked like those of a rule", () => {
    only(
      inRule(`{backendRefs: [{name: a, port: 1, filters: [${rewrite("")}, ${rewrite("")}]}]}`),
      /backendRefs\[0\]\.filters\[1\]\.type — URLRewrite is there twice/,
    );
  });
});

describe("retry of an HTTPRoute", () => {
  it("takes statuses from 400 to 599, at least one attempt, and a duration", () => {
    assert.deepEqual(inRule("{retry: {codes: [400, 500, 599], attempts: 3, backoff: 100ms}}"), []);
    assert.deepEqual(inRule("{retry: {}}"), []);
    for (const body of ["codes: [399]", "codes: [600]", "codes: [500, 500]", "attempts: 0", "backoff: 1.5s", "x: 1"])
      only(inRule(`{retry: {${body}}}`), /retry/);
  });
});

describe("the user pages about HTTPRoute", () => {
  for (const page of ["../../../../docs/http-routes.md", "../../src/http-route/README.md"]) {
    it(`show an example that can be applied: ${page.split("/").at(-1)}`, () => {
      const markdown = readFileSync(new URL(page, import.meta.url), "utf8");
      const examples = [...markdown.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml]) => yaml ?? "");
      assert.ok(examples.length > 0);
      for (const yaml of examples) assert.equal(readResource(kind, yaml).kind, "HTTPRoute");
    });
  }
});
