// The real policies in real proxies: resources compiled by the control side, enforced by the proxy side.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { policyType, routesName, routesType, type Policy } from "@ripstop/model";
import { policyKinds } from "@ripstop/policies/control";
import { compileRoutes, serviceBackends, type HttpRouteSpec, type RouteService } from "@ripstop/policies/http-route";
import { filterFactories } from "@ripstop/policies/proxy";

import { meshEndpoint, TestMesh, TRUST_DOMAIN, type TestProxy } from "./testing/test-mesh.suite.ts";
import { fetchVia, httpApp, TcpClient, type Started } from "./testing/test-peers.suite.ts";

function resource<Spec>(
  kind: string,
  name: string,
  spec: Spec,
): {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly uid: string;
    readonly generation: number;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
  };
  readonly spec: Spec;
} {
  const metadata = {
    name,
    namespace: "shop",
    labels: {},
    annotations: {},
    uid: "",
    generation: 1,
    resourceVersion: "",
    creationTimestamp: "",
  };
  return { apiVersion: "", kind, metadata, spec };
}

/** An AuthorizationPolicy of namespace shop, compiled. */
function authorization(name: string, spec: object): Policy {
  const kind = policyKinds.find((candidate) => candidate.name === "authorization");
  assert.ok(kind);
  const config = kind.compile(resource("AuthorizationPolicy", name, spec), { trustDomain: TRUST_DOMAIN });
  return { name: `AuthorizationPolicy/shop/${name}`, kind: kind.name, config: Buffer.from(config) };
}

/** A mesh with service shop/stock guarded by `policies`, and callers web and thief. */
async function withShop(
  policies: readonly Policy[],
  run: (shop: {
    readonly mesh: TestMesh;
    readonly stock: TestProxy;
    readonly web: TestProxy;
    readonly thief: TestProxy;
  }) => Promise<void>,
): Promise<void> {
  const mesh = await TestMesh.create();
  const app: Started = await httpApp((request, response) => response.end(`${request.method} ${request.url}`));
  try {
    for (const policy of policies) mesh.config.set(policyType, policy.name, policy);
    const stock = await mesh.start({
      id: "shop/stock-1",
      service: "shop/stock",
      ports: [{ port: 8080, applicationPort: app.port }],
      policies: policies.map(({ name }) => ({ name })),
      factories: filterFactories,
    });
    mesh.service("shop/stock", {
      ports: [{ port: 80 }],
      endpoints: [meshEndpoint("shop/stock-1", stock, { 80: 8080 })],
    });
    const upstreams = [{ host: "stock", port: 80 }];
    const web = await mesh.start({ id: "shop/web-1", service: "shop/web", upstreams });
    const thief = await mesh.start({ id: "shop/thief-1", service: "shop/thief", upstreams });
    await run({ mesh, stock, web, thief });
  } finally {
    await mesh.close();
    await app.close();
  }
}

const statusOf = async (caller: TestProxy, path: string, method = "GET"): Promise<number> =>
  (await fetchVia(caller.ports.httpProxy, `http://stock${path}`, { method })).status;

describe("an AuthorizationPolicy in force", () => {
  const readers = authorization("stock-readers", {
    action: "ALLOW",
    rules: [{ from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["GET"], paths: ["/stock/*"] }] }],
  });

  it("lets the allowed caller make the allowed requests and no others", () =>
    withShop([readers], async ({ web, thief }) => {
      assert.equal(await statusOf(web, "/stock/42"), 200);
      assert.equal(await statusOf(web, "/stock/42", "DELETE"), 403);
      assert.equal(await statusOf(web, "/admin"), 403);
      assert.equal(await statusOf(web, "/stock/../admin"), 403);
      assert.equal(await statusOf(thief, "/stock/42"), 403);
    }));

  it("names policy and clause to the caller, and what the clause wants to the operator alone", () =>
    withShop([readers], async ({ stock, thief }) => {
      stock.proxy.onCommand({
        taps: [{ id: "1", sourceService: "", destinationService: "", pathPrefix: "", minStatus: 0, maxPerSecond: 0 }],
      });
      const answer = await fetchVia(thief.ports.httpProxy, "http://stock/stock/42");
      assert.equal(answer.headers["x-ripstop-error"], "RS1102");
      const { error } = JSON.parse(answer.body) as { readonly error: Readonly<Record<string, string>> };
      assert.equal(error["policy"], "shop/stock-readers");
      assert.equal(error["clause"], "spec.rules[0].from[0].serviceAccounts");
      assert.match(error["message"] ?? "", /does not include the caller spiffe:\/\/test\.local\/ns\/shop\/sa\/thief$/);
      assert.doesNotMatch(answer.body, /sa\/web/);
      await stock.proxy.close();
      const [tap] = stock.reports.flatMap((report) => report.taps);
      assert.equal(tap?.errorCode, "RS1102");
      assert.match(tap?.errorCause ?? "", /wants spiffe:\/\/test\.local\/ns\/shop\/sa\/web, the caller is .*thief$/);
    }));

  it("denies every spelling of a denied path", () => {
    const noAdmin = authorization("no-admin", { action: "DENY", rules: [{ to: [{ paths: ["/admin/*"] }] }] });
    return withShop([noAdmin], async ({ web }) => {
      assert.equal(await statusOf(web, "/stock"), 200);
      for (const path of [
        "/admin",
        "/admin/x",
        "//admin/x",
        "/stock/../admin",
        "/%61dmin",
        "/ADMIN",
        "/admin;a=b/x",
        "/admin%3Bx",
      ]) {
        assert.equal(await statusOf(web, path), 403, path);
      }
    });
  });

  it("denies or refuses every way to write a denied path that an application could read as that path", () => {
    const noAdmin = authorization("no-admin", { action: "DENY", rules: [{ to: [{ paths: ["/admin/*"] }] }] });
    /** One path, every piece of it written in one of the ways that some reader takes for the same. */
    const slash = fc.constantFrom(
      "/",
      "//",
      "/./",
      "/x/../",
      "%2F",
      "%2f",
      "\\",
      "%5C",
      "/%2e/",
      "/.;/",
      "/;a/..;/",
      "/;/",
    );
    const letter = (text: string): fc.Arbitrary<string> => {
      const hex = text.charCodeAt(0).toString(16);
      return fc.constantFrom(text, text, text.toUpperCase(), `%${hex}`, `%25${hex}`);
    };
    const word = fc.tuple(...[..."admin"].map(letter)).map((letters) => letters.join(""));
    const end = fc.constantFrom(
      "",
      "?",
      "#",
      "?/../x",
      "#/x",
      "%3F",
      "%23",
      ";x",
      "%00",
      "\t",
      "%0d%0a",
      "%20",
      ".",
      "/.",
    );
    const path = fc.tuple(slash, word, slash, end).map((parts) => parts.join(""));
    /** What a careless application may make of it. */
    const readAs = (url: string): string => {
      const [plain = ""] = decodeURIComponent(url).replaceAll("\\", "/").split(/[?#]/);
      const segments: string[] = [];
      for (const segment of plain.split("/").map((text) => text.replace(/;.*$/, ""))) {
        if (segment === "..") segments.pop();
        else if (segment !== "" && segment !== ".") segments.push(segment);
      }
      return segments.join("/").toLowerCase();
    };
    return withShop([noAdmin], async ({ web }) => {
      await web.becameReady;
      await fc.assert(
        fc.asyncProperty(path, async (target) => {
          const client = new TcpClient(web.ports.upstreams[0] ?? 0);
          client.write(`GET ${target} HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n\r\n`);
          await client.untilEnd();
          client.socket.destroy();
          const status = Number(client.received.slice(9, 12));
          if (status === 400 || status === 403) return;
          assert.equal(status, 200, target);
          const url = /GET (\S*)\s*$/.exec(client.received)?.[1] ?? "?";
          assert.doesNotMatch(readAs(url), /^admin(\/|$)/, `${target} arrived as ${url}`);
        }),
        { numRuns: 400 },
      );
    });
  });

  it("knows a denied host in every spelling, and takes no name for a pattern", () => {
    const secret = authorization("no-secret", {
      action: "DENY",
      rules: [{ to: [{ hosts: ["secret.shop", "*.hidden.shop"] }] }],
    });
    return withShop([secret], async ({ web }) => {
      const statusFor = async (host: string): Promise<number> => {
        const client = new TcpClient(web.ports.upstreams[0] ?? 0);
        client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        await client.untilEnd();
        client.socket.destroy();
        return Number(client.received.slice(9, 12));
      };
      await web.becameReady;
      for (const host of [
        "secret.shop",
        "Secret.SHOP",
        "secret.shop.",
        "secret.shop:80",
        "SECRET.shop.:8080",
        "a.Hidden.shop",
      ])
        assert.equal(await statusFor(host), 403, host);
      for (const host of ["secretxshop", "secret.shop.evil", "notsecret.shop", "axhidden.shop"])
        assert.equal(await statusFor(host), 200, host);
      for (const host of ["secret.shop@x", "secret.shop/", "secret.shop,x", "secret.shop x", "secret%2eshop"])
        assert.notEqual(await statusFor(host), 200, host);
    });
  });

  it("refuses a raw connection when a rule needs HTTP to be judged", async () => {
    const deny = authorization("no-admin", { action: "DENY", rules: [{ to: [{ paths: ["/admin/*"] }] }] });
    const speak = async (web: TestProxy): Promise<string> => {
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write("\u0000 not HTTP at all\r\n\r\n");
      await client.untilEnd();
      client.socket.destroy();
      return client.received;
    };
    await withShop([], async ({ web }) => assert.match(await speak(web), /^HTTP\/1\.1 400/));
    await withShop([deny], async ({ web }) => assert.equal(await speak(web), ""));
  });
});

describe("an HTTPRoute in force", () => {
  it("sends each request by the most specific match, and answers 404 when none matches", () =>
    withShop([], async ({ mesh, web }) => {
      const service: RouteService = { namespace: "shop", name: "stock", ports: [{ port: 80, name: "" }] };
      const backendRefs = [{ group: "", kind: "Service", name: "stock", port: 80, weight: 1 }];
      const nowhere = [{ group: "", kind: "Service", name: "nowhere", port: 80, weight: 1 }];
      const prefix = (value: string) => ({ type: "PathPrefix", value }) as const;
      const spec: HttpRouteSpec = {
        parentRefs: [{ group: "", kind: "Service", name: "stock" }],
        rules: [
          { matches: [{ path: prefix("/stock") }], backendRefs },
          { matches: [{ path: { type: "Exact", value: "/stock/broken" } }], backendRefs: nowhere },
          {
            matches: [{ path: prefix("/any"), headers: [{ type: "Exact", name: "X-Shop", value: "yes" }] }],
            backendRefs,
          },
          { matches: [{ path: { type: "RegularExpression", value: "/v[0-9]+/.*" } }], backendRefs },
        ],
      };
      const find = (namespace: string, name: string): RouteService | undefined =>
        namespace === "shop" && name === "stock" ? service : undefined;
      const ports = compileRoutes(
        [resource("HTTPRoute", "stock", spec)],
        { service, clientNamespace: "shop" },
        serviceBackends(find),
      );
      mesh.config.set(routesType, routesName("shop/stock", "shop"), { service: "shop/stock", ports });
      const ask = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
        (await fetchVia(web.ports.httpProxy, `http://stock${path}`, { headers })).status;
      assert.equal(await ask("/stock"), 200);
      assert.equal(await ask("/stock/42"), 200);
      assert.equal(await ask("/stocks"), 404);
      assert.equal(await ask("/stock/broken"), 500);
      assert.equal(await ask("/any"), 404);
      assert.equal(await ask("/any", { "x-shop": "yes" }), 200);
      assert.equal(await ask("/v12/x"), 200);
      assert.equal(await ask("/v/x"), 404);
    }));
});
