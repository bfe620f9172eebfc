// The authorization filter: what passes, what does not, and how a refusal explains itself.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Denial, Filter, PolicyConfig, RequestInfo } from "@ripstop/policy-api/proxy";
import fc from "fast-check";

import { caller, connection, filterTools, plainCaller, readResources, request } from "../fixtures.suite.ts";
import { compileAuthorization } from "./compile.ts";
import { AuthorizationConfig } from "./config.gen.ts";
import { filterFactory } from "./filter.ts";
import { kind } from "./index.ts";

const head = (name: string): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: AuthorizationPolicy, metadata: {name: ${name}, namespace: shop}`;

/** A filter of policies given as [NAME, SPEC in YAML]. */
function filterOf(...policies: readonly (readonly [name: string, spec: string])[]): Filter {
  const configs: PolicyConfig[] = policies.map(([name, spec]) => {
    const [policy] = readResources(kind, `${head(name)}, spec: ${spec}}`);
    assert.ok(policy);
    return { name: `shop/${name}`, config: compileAuthorization(policy, { trustDomain: "mesh.local" }) };
  });
  return filterFactory.create(configs, filterTools());
}

const passes = (filter: Filter, info: RequestInfo): boolean => filter.onRequest(info) === undefined;

function denial(filter: Filter, info: RequestInfo): Denial {
  const found = filter.onRequest(info);
  assert.ok(found, "the request passed");
  return found;
}

describe("authorization", () => {
  it("lets everything pass without a policy", () => {
    assert.equal(passes(filterOf(), request()), true);
    assert.equal(passes(filterOf(), connection({ source: plainCaller })), true);
  });

  it("lets only what an ALLOW rule matches pass once there is an ALLOW policy", () => {
    const filter = filterOf([
      "readers",
      "{rules: [{from: [{serviceAccounts: [web]}], to: [{methods: [GET], paths: [/stock/*]}]}]}",
    ]);
    assert.equal(passes(filter, request({ path: "/stock/42" })), true);
    assert.equal(passes(filter, request({ path: "/stock/42", method: "POST" })), false);
    assert.equal(passes(filter, request({ path: "/other" })), false);
    assert.equal(passes(filter, request({ path: "/stock/42", source: caller("shop", "thief") })), false);
    assert.equal(passes(filter, request({ path: "/stock/42", source: plainCaller })), false);
  });

  it("lets nothing pass when an ALLOW policy has no rules, and all when a rule is empty", () => {
    assert.equal(passes(filterOf(["nothing", "{}"]), request()), false);
    assert.equal(passes(filterOf(["all", "{rules: [{}]}"]), request({ source: plainCaller })), true);
  });

  it("needs a match of one ALLOW policy only", () => {
    const filter = filterOf(
      ["web", "{rules: [{from: [{serviceAccounts: [web]}]}]}"],
      ["cart", "{rules: [{from: [{serviceAccounts: [cart]}]}]}"],
    );
    assert.equal(passes(filter, request({ source: caller("shop", "cart") })), true);
    assert.equal(passes(filter, request({ source: caller("shop", "thief") })), false);
  });

  it("puts DENY before ALLOW, whatever the order of the policies", () => {
    const allow = ["all", "{rules: [{}]}"] as const;
    const deny = ["no-thief", "{action: DENY, rules: [{from: [{serviceAccounts: [thief]}]}]}"] as const;
    for (const filter of [filterOf(allow, deny), filterOf(deny, allow)]) {
      assert.equal(passes(filter, request()), true);
      assert.equal(passes(filter, request({ source: caller("shop", "thief") })), false);
    }
  });

  it("joins the fields of one entry by AND, and entries and values by OR", () => {
    const filter = filterOf([
      "p",
      "{rules: [{from: [{namespaces: [shop], serviceAccounts: [web]}, {namespaces: [ops]}]}]}",
    ]);
    assert.equal(passes(filter, request({ source: caller("shop", "web") })), true);
    assert.equal(passes(filter, request({ source: caller("shop", "cart") })), false);
    assert.equal(passes(filter, request({ source: caller("ops", "anyone") })), true);
  });

  it("takes namespaces and service accounts for those of its own trust domain", () => {
    const filter = filterOf(["p", "{rules: [{from: [{namespaces: [shop]}, {serviceAccounts: [web]}]}]}"]);
    const foreign = { ...caller("shop", "web"), identity: "spiffe://evil.example/ns/shop/sa/web" };
    assert.equal(passes(filter, request({ source: foreign })), false);
  });

  it("never takes a namespace for another that begins alike", () => {
    const filter = filterOf([
      "p",
      '{rules: [{from: [{namespaces: [shop]}, {principals: ["spiffe://mesh.local/ns/shop/*"]}]}]}',
    ]);
    assert.equal(passes(filter, request({ source: caller("shop-evil", "web") })), false);
    assert.equal(passes(filter, request({ source: caller("shop", "web") })), true);
  });

  it('takes the principal "*" for every verified identity, and for no plain caller', () => {
    const filter = filterOf(["p", '{rules: [{from: [{principals: ["*"]}]}]}']);
    assert.equal(passes(filter, request()), true);
    assert.equal(passes(filter, request({ source: plainCaller })), false);
  });

  it("takes /prefix/* for the prefix and everything below, by whole segments", () => {
    const filter = filterOf(["p", "{rules: [{to: [{paths: [/stock/*]}]}]}"]);
    for (const path of ["/stock", "/stock/", "/stock/a/b"]) assert.equal(passes(filter, request({ path })), true, path);
    for (const path of ["/stocks", "/", "/a/stock"]) assert.equal(passes(filter, request({ path })), false, path);
  });

  it("takes a dot in a name for a dot", () => {
    const filter = filterOf(["p", "{rules: [{to: [{hosts: [a.b], paths: [/a.b]}]}]}"]);
    assert.equal(passes(filter, request({ host: "a.b", path: "/a.b" })), true);
    assert.equal(passes(filter, request({ host: "axb", path: "/a.b" })), false);
    assert.equal(passes(filter, request({ host: "a.b", path: "/axb" })), false);
  });

  it("takes *.name for every name below it but not for itself, and a dot at the end for nothing", () => {
    const filter = filterOf(["p", '{rules: [{to: [{hosts: ["*.shop", stock.ops]}]}]}']);
    for (const host of ["a.shop", "a.b.shop", "a.shop.", "stock.ops."])
      assert.equal(passes(filter, request({ host })), true, host);
    for (const host of ["shop", ".shop", "evilshop", "stock.ops.evil"])
      assert.equal(passes(filter, request({ host })), false, host);
  });

  it("compares ports with the port of the workload", () => {
    const filter = filterOf(["p", "{rules: [{to: [{ports: [8080, 9090]}]}]}"]);
    assert.equal(passes(filter, request({ port: 9090 })), true);
    assert.equal(passes(filter, request({ port: 80 })), false);
  });

  describe("of a path that could be read in two ways", () => {
    const deny = filterOf(["no-admin", "{action: DENY, rules: [{to: [{paths: [/admin/*, /export, /caf%C3%A9]}]}]}"]);
    const allow = filterOf(["admin", "{rules: [{to: [{paths: [/admin/*, /export]}]}]}"]);
    const spellings = [
      "/ADMIN/x",
      "/admin;v=1/x",
      "/%61dmin/x",
      "/admin%3Bv=1/x",
      "/admin%5Cx",
      "/Export/",
      "/export;a",
      "/export/",
    ];
    for (const path of spellings) {
      it(`${path} is denied by DENY and not allowed by ALLOW`, () => {
        assert.equal(passes(deny, request({ path })), false);
        assert.equal(passes(allow, request({ path })), path.startsWith("/admin/"));
      });
    }

    it("denies non-ASCII text however its octets are spelled", () => {
      for (const path of ["/caf%c3%a9", "/caf%C3%A9", "/CAF%C3%A9/", "/caf\u00c3\u00a9", "/caf\u00c3%A9"])
        assert.equal(passes(deny, request({ path })), false, path);
      assert.equal(passes(deny, request({ path: "/cafe" })), true);
    });

    it("denies every percent-encoding of a denied path", () => {
      const encoded = fc
        .tuple(fc.constantFrom("/admin/users", "/export"), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }))
        .map(([path, flips]) =>
          [...path].map((c, at) => (c !== "/" && flips[at] ? `%${c.charCodeAt(0).toString(16)}` : c)).join(""),
        );
      fc.assert(fc.property(encoded, (path) => !passes(deny, request({ path }))));
    });

    it("denies a method however it is written, and allows only the very method", () => {
      const noPost = filterOf(["no-post", "{action: DENY, rules: [{to: [{methods: [POST]}]}]}"]);
      const onlyGet = filterOf(["only-get", "{rules: [{to: [{methods: [GET]}]}]}"]);
      assert.equal(passes(noPost, request({ method: "post" })), false);
      assert.equal(passes(onlyGet, request({ method: "get" })), false);
      assert.equal(passes(onlyGet, request({ method: "GET" })), true);
    });
  });

  describe("of a TCP connection", () => {
    it("compares the caller and the port", () => {
      const filter = filterOf(["p", "{rules: [{from: [{serviceAccounts: [web]}], to: [{ports: [8080]}]}]}"]);
      assert.equal(passes(filter, connection()), true);
      assert.equal(passes(filter, connection({ port: 9090 })), false);
      assert.equal(passes(filter, connection({ source: caller("shop", "thief") })), false);
    });

    for (const field of ["methods: [GET]", "paths: [/a]", "hosts: [a.shop]"]) {
      it(`never matches an ALLOW rule and always a DENY rule with ${field}`, () => {
        assert.equal(passes(filterOf(["a", `{rules: [{to: [{${field}}]}]}`]), connection()), false);
        assert.equal(passes(filterOf(["d", `{action: DENY, rules: [{to: [{${field}}]}]}`]), connection()), false);
        const otherPort = filterOf(["d", `{action: DENY, rules: [{to: [{${field}, ports: [1]}]}]}`]);
        assert.equal(passes(otherPort, connection()), true);
      });
    }
  });

  describe("of a refusal", () => {
    it("names the DENY policy and its rule", () => {
      const filter = filterOf([
        "no-thief",
        "{action: DENY, rules: [{from: [{namespaces: [ops]}]}, {from: [{serviceAccounts: [thief]}]}]}",
      ]);
      const found = denial(filter, request({ source: caller("shop", "thief") }));
      assert.equal(found.kind.code, "RS1101");
      assert.equal(found.kind.status, 403);
      assert.equal(found.policy, "shop/no-thief");
      assert.equal(found.clause, "spec.rules[1]");
      assert.equal(found.message, "DENY policy shop/no-thief forbids this: spec.rules[1] matches");
    });

    it("names the ALLOW rule that came closest, and tells only the operator what it wants", () => {
      const filter = filterOf(["stock-readers", "{rules: [{from: [{serviceAccounts: [web, cart]}]}]}"]);
      const found = denial(filter, request({ source: caller("shop", "thief") }));
      assert.equal(found.kind.code, "RS1102");
      assert.equal(found.policy, "shop/stock-readers");
      assert.equal(found.clause, "spec.rules[0].from[0].serviceAccounts");
      assert.equal(
        found.message,
        "no rule of ALLOW policy shop/stock-readers matches: spec.rules[0].from[0].serviceAccounts does not include the caller spiffe://mesh.local/ns/shop/sa/thief",
      );
      assert.equal(
        found.detail,
        "no rule of ALLOW policy shop/stock-readers matches: spec.rules[0].from[0].serviceAccounts wants spiffe://mesh.local/ns/shop/sa/web or spiffe://mesh.local/ns/shop/sa/cart, the caller is spiffe://mesh.local/ns/shop/sa/thief",
      );
      assert.doesNotMatch(found.message, /sa\/web/);
    });

    it("takes a rule for the right caller as closer than one for the right request", () => {
      const filter = filterOf(
        ["a", "{rules: [{from: [{serviceAccounts: [cart]}], to: [{methods: [POST]}]}]}"],
        [
          "b",
          "{rules: [{from: [{serviceAccounts: [web]}], to: [{methods: [GET], paths: [/x]}, {methods: [PUT], paths: [/y], ports: [1]}]}]}",
        ],
      );
      const found = denial(filter, request({ method: "POST", path: "/x" }));
      assert.equal(found.policy, "shop/b");
      assert.equal(found.clause, "spec.rules[0].to[0].methods");
      assert.match(found.message, /does not include method POST$/);
      assert.match(found.detail ?? "", /wants GET, the method is POST$/);
    });

    it("says that a policy allows nothing, that a caller has no identity, that a connection is not HTTP", () => {
      assert.match(
        denial(filterOf(["p", "{}"]), request()).message,
        /^ALLOW policy shop\/p has no rules, so it allows nothing$/,
      );
      const byName = filterOf(["p", "{rules: [{from: [{namespaces: [shop]}]}]}"]);
      assert.match(denial(byName, request({ source: plainCaller })).message, /callers without a verified identity$/);
      const byPath = filterOf(["p", "{rules: [{to: [{paths: [/a]}]}]}"]);
      assert.match(denial(byPath, connection()).detail ?? "", /this is a TCP connection, which has no paths$/);
    });

    it("repeats text of the request shortened and without control characters", () => {
      const filter = filterOf(["p", "{rules: [{to: [{paths: [/a]}]}]}"]);
      const { message } = denial(filter, request({ path: `/${"x".repeat(5000)}\r\nset-cookie: a` }));
      assert.ok(message.length < 400);
      const short = denial(filter, request({ path: "/\r\n\u0000é" })).message;
      assert.match(short, /path \/\?\?\?\?$/);
    });
  });

  describe("by AUDIT", () => {
    it("lets the request pass and has it on record", () => {
      const filter = filterOf(["watch", "{action: AUDIT, rules: [{to: [{methods: [DELETE]}]}]}"]);
      assert.equal(passes(filter, request({ method: "DELETE" })), true);
      assert.deepEqual(filter.audit?.(request({ method: "DELETE" })), {
        policy: "shop/watch",
        clause: "spec.rules[0]",
      });
      assert.equal(filter.audit?.(request()), undefined);
    });

    it("costs nothing when there is no AUDIT policy", () => {
      assert.equal(filterOf(["p", "{}"]).audit, undefined);
    });
  });

  describe("of a config that it cannot read", () => {
    const create = (config: Partial<AuthorizationConfig>): Filter =>
      filterFactory.create(
        [
          {
            name: "shop/p",
            config: AuthorizationConfig.encode({ readerVersion: 1, action: 1, rules: [], ...config }).finish(),
          },
        ],
        filterTools(),
      );

    it("refuses the update, so that a condition it does not know never widens a rule", () => {
      assert.throws(() => create({ readerVersion: 2 }), /shop\/p uses conditions that this proxy does not know/);
    });

    it("refuses an unknown action and malformed bytes", () => {
      assert.throws(() => create({ action: 0 }), /action that this proxy does not know/);
      assert.throws(() => create({ action: 9 as 1 }), /action that this proxy does not know/);
      assert.throws(() => filterFactory.create([{ name: "p", config: Uint8Array.of(0x1a, 0xff) }], filterTools()));
    });
  });
});
