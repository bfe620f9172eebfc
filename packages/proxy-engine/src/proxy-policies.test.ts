// The real policies in real proxies: resources compiled by the control side, enforced by the proxy side.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

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
