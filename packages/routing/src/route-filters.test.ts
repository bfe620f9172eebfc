// Redirects, rewrites and CORS as pure functions: the tables of the Gateway API's documentation, row by row.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "@ripstop/http";
import type { Cors, RequestRedirect } from "@ripstop/model";
import fc from "fast-check";
import { compileCors } from "./cors.ts";
import { compilePathEdit } from "./path-edit.ts";
import { compileRedirect } from "./redirect.ts";
import { compileRouteFilters, takesMirror } from "./route-filters.ts";

const replacePrefix = (target: string, prefix: string, value: string): string | undefined =>
  compilePathEdit({ modifier: { $case: "prefix", value } }, prefix)?.apply(target);
const replaceFull = (target: string, value: string): string | undefined =>
  compilePathEdit({ modifier: { $case: "full", value } }, "/")?.apply(target);

describe("replacing a prefix", () => {
  const table: readonly (readonly [string, string, string, string])[] = [
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo/bar", "/foo", "", "/bar"],
    ["/foo/", "/foo", "", "/"],
    ["/foo", "/foo", "", "/"],
    ["/foo/", "/foo", "/", "/"],
    ["/foo", "/foo", "/", "/"],
    ["/foo", "/", "/xyz", "/xyz/foo"],
    ["/foo?a=/foo", "/foo", "/xyz", "/xyz?a=/foo"],
    ["/foo?", "/foo", "", "/?"],
  ];
  for (const [target, prefix, value, expected] of table) {
    it(`makes ${target} with ${prefix} to "${value}" into ${expected}`, () => {
      assert.equal(replacePrefix(target, prefix, value), expected);
    });
  }

  it("leaves what is no path, and what the prefix does not match", () => {
    assert.equal(replacePrefix("*", "/", "/xyz"), "*");
    assert.equal(replacePrefix("/bar", "/foo", "/xyz"), "/bar");
  });

  it("always gives an absolute path with the same query", () => {
    const segment = fc.stringMatching(/^[a-z]{1,4}$/);
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
    fc.assert(
      fc.property(path, path, fc.option(segment), path, (prefix, rest, query, value) => {
        const target = (prefix === "/" ? "" : prefix) + rest + (query === null ? "" : `?${query}`);
        const changed = replacePrefix(target, prefix, value) ?? "";
        assert.match(changed, /^\/(?!\/)/);
        assert.equal(changed.split("?")[1], query ?? undefined);
      }),
    );
  });
});

describe("replacing the whole path", () => {
  it("keeps the query and makes the path absolute", () => {
    assert.equal(replaceFull("/a/b?c=d", "/x"), "/x?c=d");
    assert.equal(replaceFull("/a", ""), "/");
    assert.equal(replaceFull("*", "/x"), "*");
  });

  it("is left out when it could split a message", () => {
    for (const value of ["/a b", "/a\r\nx: y", "/a?b", "/a#b", "/\u00e4"])
      assert.equal(replaceFull("/a", value), undefined);
  });
});

describe("the Location of a redirect", () => {
  const none: RequestRedirect = { scheme: "", hostname: "", port: 0, path: undefined, status: 302 };
  const location = (
    parts: Partial<RequestRedirect>,
    request: Partial<Parameters<ReturnType<typeof compileRedirect>["location"]>[0]> = {},
  ): string =>
    compileRedirect({ ...none, ...parts }, "/").location({
      scheme: "http",
      host: "a.b",
      port: 8080,
      target: "/p?q",
      ...request,
    });

  it("has the port of the listener when neither scheme nor port is said, and none that is well known", () => {
    assert.equal(location({}), "http://a.b:8080/p?q");
    assert.equal(location({}, { port: 80 }), "http://a.b/p?q");
    assert.equal(location({}, { port: 443, scheme: "https" }), "https://a.b/p?q");
    assert.equal(location({}, { port: 443 }), "http://a.b:443/p?q");
  });

  it("has the well-known port of a scheme that is said, so none", () => {
    assert.equal(location({ scheme: "https" }), "https://a.b/p?q");
    assert.equal(location({ scheme: "http" }), "http://a.b/p?q");
  });

  it("has the port that is said, but for the one that goes without saying", () => {
    assert.equal(location({ port: 8083 }), "http://a.b:8083/p?q");
    assert.equal(location({ port: 80 }), "http://a.b/p?q");
    assert.equal(location({ port: 443, scheme: "https" }), "https://a.b/p?q");
    assert.equal(location({ port: 443, scheme: "http" }), "http://a.b:443/p?q");
    assert.equal(location({ port: 80, scheme: "https" }), "https://a.b:80/p?q");
  });

  it("has the host that is said, and brackets round one of IPv6", () => {
    assert.equal(location({ hostname: "x.y" }), "http://x.y:8080/p?q");
    assert.equal(location({}, { host: "::1" }), "http://[::1]:8080/p?q");
  });

  it("has the changed path, and / for a target that is no path", () => {
    const path = { modifier: { $case: "full", value: "/n" } } as const;
    assert.equal(location({ path }), "http://a.b:8080/n?q");
    assert.equal(location({}, { target: "*" }), "http://a.b:8080/");
  });

  it("comes with the status that is said, or 302", () => {
    for (const status of [301, 302, 303, 307, 308])
      assert.equal(compileRedirect({ ...none, status }, "/").status, status);
    assert.equal(compileRedirect({ ...none, status: 0 }, "/").status, 302);
  });
});

describe("a CORS filter", () => {
  const none: Cors = {
    allowOrigins: [],
    allowCredentials: false,
    allowMethods: [],
    allowHeaders: [],
    exposeHeaders: [],
    maxAge: 5,
  };
  const fields = (values: Readonly<Record<string, string>>): HeaderList => {
    const headers = new HeaderList();
    for (const [name, value] of Object.entries(values)) headers.append(name, value);
    return headers;
  };
  const entries = (headers: HeaderList): Record<string, string> =>
    Object.fromEntries(Array.from({ length: headers.length }, (_, at) => [headers.nameAt(at), headers.valueAt(at)]));
  const allows = (pattern: string, origin: string): boolean =>
    compileCors({ ...none, allowOrigins: [pattern] }).allows(fields({ origin }));
  const preflight = (parts: Partial<Cors>, asked: Readonly<Record<string, string>>): Record<string, string> => {
    const response = new HeaderList();
    compileCors({ ...none, ...parts }).answerPreflight(fields(asked), response);
    return entries(response);
  };

  it("lets in exact origins, whatever the case of the host and with or without the default port", () => {
    assert.ok(allows("https://a.b", "https://a.b"));
    assert.ok(allows("https://a.b:443", "https://a.b"));
    assert.ok(allows("http://A.b", "http://a.b:80"));
    for (const other of ["http://a.b", "https://a.b:8443", "https://x.a.b", "https://a.b.evil", "null", ""])
      assert.ok(!allows("https://a.b", other), other);
  });

  it("takes a wildcard for any number of labels, never for none, a port or a user", () => {
    assert.ok(allows("https://*.b.c", "https://a.b.c"));
    assert.ok(allows("https://*.b.c", "https://x.a.b.c"));
    assert.ok(allows("http://*", "http://any.where"));
    assert.ok(allows("https://*.b.c:8443", "https://a.b.c:8443"));
    for (const other of ["https://b.c", "https://.b.c.evil", "http://a.b.c", "https://a.b.c:8443", "https://evilb.c"])
      assert.ok(!allows("https://*.b.c", other), other);
    assert.ok(!allows("http://*", "http://a:8080"));
    assert.ok(!allows("https://*.b.c", "https://evil/.b.c"));
    assert.ok(allows("*", "https://any.where:1"));
    assert.ok(!allows("*", ""));
  });

  it("answers a preflight with what it lists", () => {
    const lists = {
      allowOrigins: ["https://a.b"],
      allowMethods: ["GET", "OPTIONS"],
      allowHeaders: ["x-1", "x-2"],
      exposeHeaders: ["x-3", "x-4"],
    };
    const asked = { origin: "https://a.b", "access-control-request-method": "GET" };
    assert.deepEqual(preflight({ ...lists, allowCredentials: true, maxAge: 3600 }, asked), {
      "access-control-allow-origin": "https://a.b",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "x-3, x-4",
      "access-control-allow-methods": "GET, OPTIONS",
      "access-control-allow-headers": "x-1, x-2",
      "access-control-max-age": "3600",
      vary: "Origin",
    });
    assert.equal(preflight(lists, asked)["access-control-allow-credentials"], undefined);
  });

  it("says * only without credentials, and else what was asked for", () => {
    const all = { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*"] };
    const asked = {
      origin: "https://a.b",
      "access-control-request-method": "PUT",
      "access-control-request-headers": "x-1, x-2",
    };
    assert.deepEqual(preflight(all, asked), {
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "*",
      "access-control-allow-methods": "*",
      "access-control-allow-headers": "*",
      "access-control-max-age": "5",
    });
    const withCredentials = preflight({ ...all, allowCredentials: true }, asked);
    assert.deepEqual(withCredentials, {
      "access-control-allow-origin": "https://a.b",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "PUT",
      "access-control-allow-headers": "x-1, x-2",
      "access-control-max-age": "5",
      vary: "Origin",
    });
    const bare = preflight(
      { ...all, allowCredentials: true },
      { origin: "https://a.b", "access-control-request-method": "PUT" },
    );
    assert.equal(bare["access-control-allow-headers"], undefined);
  });

  it("replaces what the service says, and tells caches that the answer depends on the origin", () => {
    const policy = compileCors({ ...none, allowOrigins: ["https://a.b"], exposeHeaders: ["x-1"] });
    const response = (): HeaderList =>
      fields({ "access-control-allow-origin": "*", "access-control-allow-credentials": "true", vary: "accept" });
    const allowed = response();
    policy.mark("https://a.b", allowed);
    assert.deepEqual(entries(allowed), {
      vary: "accept, Origin",
      "access-control-allow-origin": "https://a.b",
      "access-control-expose-headers": "x-1",
    });
    for (const origin of ["https://evil", ""]) {
      const refused = response();
      policy.mark(origin, refused);
      assert.deepEqual(entries(refused), { vary: "accept, Origin" });
    }
  });

  it("tells a preflight from an OPTIONS of the application", () => {
    const policy = compileCors(none);
    const asked = fields({ origin: "https://a.b", "access-control-request-method": "PUT" });
    assert.ok(policy.isPreflight("OPTIONS", asked));
    assert.ok(!policy.isPreflight("GET", asked));
    assert.ok(!policy.isPreflight("OPTIONS", fields({ origin: "https://a.b" })));
  });
});

describe("filters", () => {
  it("of a rule without any are nothing at all", () => {
    assert.equal(compileRouteFilters([], "/"), undefined);
  });

  it("copy the share of requests that a mirror wants", () => {
    const mirror = { service: "s", port: 1, numerator: 25, denominator: 100 };
    let copied = 0;
    for (let at = 0; at < 1000; at++) if (takesMirror(mirror, at / 1000)) copied++;
    assert.equal(copied, 250);
    assert.ok(!takesMirror({ ...mirror, numerator: 0 }, 0));
    assert.ok(takesMirror({ ...mirror, numerator: 100 }, 0.999_999));
  });
});
