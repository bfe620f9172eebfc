// The control plane as a whole, over its real Unix socket and its real config stream.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { systemClock } from "@ripstop/core";
import {
  endpointsType,
  hostBindingType,
  policyType,
  routesType,
  trustBundleType,
  workloadType,
  type ApiError,
  type ControlInfo,
  type LiveStatus,
  type WorkloadView,
} from "@ripstop/model";
import type { Resource } from "@ripstop/resources";
import { createMetricRegistry } from "@ripstop/telemetry";

import { resourceWhen, send, TestControl } from "./control.fixture.ts";
import { startControl } from "./control.ts";

const SERVICES = `
apiVersion: v1
kind: Service
metadata: {name: catalog-v1, namespace: shop}
spec: {selector: {app: catalog, version: v1}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: catalog-v2, namespace: shop}
spec: {selector: {app: catalog, version: v2}, ports: [{port: 80}]}
`;

const route = (v1: number, v2: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: catalog, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: catalog}]
  rules:
    - backendRefs:
        - {name: catalog-v1, port: 80, weight: ${v1}}
        - {name: catalog-v2, port: 80, weight: ${v2}}
`;

describe("control plane", () => {
  let mesh: TestControl;

  beforeEach(async () => {
    mesh = await TestControl.start();
  });
  afterEach(() => mesh.close());

  it("tells others where it is, and that alone to its owner", async () => {
    const file = JSON.parse(await readFile(join(mesh.home, "control.json"), "utf8")) as Record<string, unknown>;
    const { apiSocket, streamAddress, joinAddress, dashboardUrl } = mesh.control;
    assert.deepEqual(file, {
      pid: process.pid,
      apiSocket,
      streamAddress,
      joinAddress,
      dashboardUrl,
      trustDomain: "mesh.local",
    });
    assert.equal((await stat(apiSocket)).mode & 0o777, 0o600);
    assert.equal((await stat(join(mesh.home, "store"))).mode & 0o777, 0o700);
    const info = (await mesh.send("GET", "/v1/info")).json<ControlInfo>();
    assert.equal(info.trustDomain, "mesh.local");
    assert.equal(info.streamAddress, streamAddress);
  });

  it("removes its files when it ends", async () => {
    await mesh.control.close();
    for (const name of ["control.json", "control.sock", "control.lock"])
      assert.equal(existsSync(join(mesh.home, name)), false, name);
  });

  it("refuses to start beside a living one on the same home", async () => {
    const second = await startControl({
      home: mesh.home,
      clock: systemClock,
      version: "",
      metrics: createMetricRegistry(),
    });
    assert.ok(!second.ok);
    assert.equal(second.error.kind.code, "RS3020");
    assert.match(second.error.message, new RegExp(`process ${process.pid} runs the control plane of`));
    assert.equal((await mesh.send("GET", "/healthz")).status, 200);
  });

  it("takes over the lock of a process that is dead", async () => {
    await mesh.control.close();
    await writeFile(join(mesh.home, "control.lock"), JSON.stringify({ pid: 2 ** 22 + 1, startTime: "1" }));
    await mesh.restart();
    assert.equal((await mesh.send("GET", "/healthz")).text, "ok\n");
  });

  it("refuses another trust domain on the same home", async () => {
    await mesh.control.close();
    const other = { home: mesh.home, clock: systemClock, version: "", metrics: createMetricRegistry() };
    const refused = await startControl({ ...other, trustDomain: "other.mesh" });
    assert.ok(!refused.ok);
    assert.equal(refused.error.kind.code, "RS3024");
    await mesh.restart();
  });

  it("comes back at the same addresses, or says which other one it took", async () => {
    const { streamAddress, dashboardUrl } = mesh.control;
    await mesh.restart();
    assert.equal(mesh.control.streamAddress, streamAddress);
    assert.equal(mesh.control.dashboardUrl, dashboardUrl);
    assert.deepEqual(mesh.control.notices, []);
    await mesh.control.close();
    const port = Number(streamAddress.split(":")[1]);
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
    await mesh.restart();
    assert.notEqual(mesh.control.streamAddress, streamAddress);
    assert.match(
      mesh.control.notices.join(),
      new RegExp(`^Port ${port} of the config stream is taken; it uses [0-9]+ instead\\.$`),
    );
    await new Promise((resolve) => squatter.close(resolve));
  });

  it("registers a workload with an SVID for exactly its identity, and lists it", async () => {
    const workload = await mesh.register("catalog", { labels: { version: "v1" } });
    assert.equal(workload.spiffeId, "spiffe://mesh.local/ns/shop/sa/catalog");
    assert.match(workload.svidChainPem, /^-----BEGIN CERTIFICATE-----/);
    assert.deepEqual(workload.controlAddresses, [mesh.control.streamAddress]);
    const { workloads } = (await mesh.send("GET", "/v1/workloads")).json<{ workloads: WorkloadView[] }>();
    assert.equal(workloads.length, 1);
    const [view] = workloads;
    assert.equal(view?.id, workload.workloadId);
    assert.equal(view?.version, "v1");
    assert.equal(view?.ready, true);
    assert.equal(view?.mutualTls, undefined);
    assert.equal((await mesh.send("DELETE", `/v1/workloads/${workload.workloadId}`)).status, 200);
    assert.equal((await mesh.send("DELETE", `/v1/workloads/${workload.workloadId}`)).status, 404);
  });

  it("refuses a signing request for another identity, and registers nothing", async () => {
    const csrPem = (await mesh.register("thief"),
    await import("@ripstop/identity/csr").then(({ createKeyAndCsr }) =>
      createKeyAndCsr("spiffe://mesh.local/ns/shop/sa/bank"),
    )).csrPem;
    const answer = await mesh.send("POST", "/v1/workloads", {
      service: "catalog",
      namespace: "shop",
      ports: [],
      csrPem,
    });
    assert.equal(answer.status, 422);
    assert.equal(answer.json<ApiError>().error.code, "RS3019");
    const { workloads } = (await mesh.send("GET", "/v1/workloads")).json<{ workloads: WorkloadView[] }>();
    assert.deepEqual(
      workloads.map(({ service }) => service),
      ["thief"],
    );
  });

  it("carries resources and workloads to a proxy, and the changes of both", async () => {
    const web = await mesh.register("web");
    await mesh.register("catalog", { labels: { version: "v1" } });
    const client = await mesh.client(web);
    const own = await resourceWhen(
      client,
      { type: workloadType, name: web.workloadId },
      (workload) => workload !== undefined,
    );
    assert.equal(own?.service, "shop/web");
    const bundle = await resourceWhen(
      client,
      { type: trustBundleType, name: "mesh.local" },
      (found) => found !== undefined,
    );
    assert.equal(bundle?.x509Authorities.length, 1);
    for (const host of ["catalog", "catalog.shop", "catalog.shop.svc", "catalog.shop.svc.cluster.local"]) {
      const binding = await resourceWhen(
        client,
        { type: hostBindingType, name: `shop~${host}` },
        (found) => found !== undefined,
      );
      assert.equal(binding?.service, "shop/catalog");
    }
    await resourceWhen(client, { type: hostBindingType, name: "shop~example.com" }, (found) => found === undefined);

    const routes = { type: routesType, name: "shop/catalog@shop" };
    const plain = await resourceWhen(client, routes, (found) => found !== undefined);
    assert.deepEqual(plain?.ports, []);
    const rerouted = resourceWhen(client, routes, (found) => (found?.ports[0]?.http.length ?? 0) > 0);
    const applied = await mesh.apply(`${SERVICES}---${route(90, 10)}`);
    assert.equal(applied.revision, 1);
    const backends = (await rerouted)?.ports[0]?.http[0]?.backends;
    assert.deepEqual(
      backends?.map(({ service, weight }) => [service, weight]),
      [
        ["shop/catalog-v1", 90],
        ["shop/catalog-v2", 10],
      ],
    );

    const endpoints = { type: endpointsType, name: "shop/catalog-v2" };
    assert.deepEqual((await resourceWhen(client, endpoints, (found) => found !== undefined))?.endpoints, []);
    const joined = resourceWhen(client, endpoints, (found) => found?.endpoints[0]?.healthy === true);
    const v2 = await mesh.register("catalog", { labels: { version: "v2" } });
    assert.deepEqual((await joined)?.endpoints[0], {
      id: v2.workloadId,
      reach: 0,
      address: "127.0.0.1:9",
      spiffeId: "spiffe://mesh.local/ns/shop/sa/catalog",
      weight: 1,
      healthy: true,
      locality: undefined,
      targetPorts: { 80: 8080 },
      version: "v2",
      subset: undefined,
      priority: undefined,
    });
    const left = resourceWhen(client, endpoints, (found) => found?.endpoints.length === 0);
    await mesh.send("DELETE", `/v1/workloads/${v2.workloadId}`);
    await left;
  });

  it("says when a revision is live on the proxies that it concerns", async () => {
    const web = await mesh.register("web");
    await mesh.register("catalog", { labels: { version: "v1" } });
    const client = await mesh.client(web);
    const routes = { type: routesType, name: "shop/catalog@shop" };
    const seen: number[] = [];
    client.watch(routesType, routes.name, {
      onResource: (found) => void seen.push(found.ports.length),
      onRemoved: () => {},
    });
    await resourceWhen(client, routes, (found) => found !== undefined);
    const { revision } = await mesh.apply(`${SERVICES}---${route(50, 50)}`);
    const live = (await mesh.send("GET", `/v1/revisions/${revision}/live?waitMs=60000`)).json<LiveStatus>();
    assert.deepEqual(
      { ...live, elapsedMs: 0 },
      { revision, total: 1, live: 1, pending: [], rejected: [], elapsedMs: 0 },
    );
    assert.deepEqual(seen, [0, 1]);
    assert.equal((await mesh.send("GET", "/v1/revisions/99/live")).status, 400);
  });

  it("calls a policy live only once the proxy that it guards has the policy itself", async () => {
    const web = await mesh.register("web");
    const client = await mesh.client(web);
    const received: string[] = [];
    await new Promise<void>((resolve) => {
      client.watch(workloadType, web.workloadId, {
        onResource: ({ policies }) => {
          for (const { name } of policies) {
            client.watch(policyType, name, { onResource: () => received.push(name), onRemoved: () => {} });
          }
          resolve();
        },
        onRemoved: () => {},
      });
    });
    const { revision } = await mesh.apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: AuthorizationPolicy
metadata: {name: web, namespace: shop}
spec: {action: DENY, rules: [{from: [{serviceAccounts: [thief]}]}]}
`);
    const live = (await mesh.send("GET", `/v1/revisions/${revision}/live?waitMs=60000`)).json<LiveStatus>();
    assert.equal(live.live, 1);
    assert.deepEqual(received, ["AuthorizationPolicy/shop/web"]);
  });

  it("shows a workload to the proxy that hosts it alone", async () => {
    const [web, other] = [await mesh.register("web"), await mesh.register("catalog")];
    const client = await mesh.client(web);
    assert.equal(await resourceWhen(client, { type: workloadType, name: other.workloadId }, () => true), undefined);
  });

  it("comes back after a restart with the same resources, so that proxies are sent nothing again", async () => {
    const web = await mesh.register("web", { labels: { b: "2", a: "1" } });
    const catalog = await mesh.register("catalog", { labels: { version: "v1" } });
    await mesh.apply(`${SERVICES}---${route(90, 10)}`);
    const before = (await mesh.send("GET", "/v1/resources")).text;
    const client = await mesh.client(web);
    const received: string[] = [];
    const names = [
      { type: workloadType, name: web.workloadId },
      { type: endpointsType, name: "shop/catalog-v1" },
      { type: routesType, name: "shop/catalog@shop" },
      { type: trustBundleType, name: "mesh.local" },
    ];
    for (const { type, name } of names) {
      await new Promise<void>((resolve) => {
        client.watch<unknown>(type, name, {
          onResource: () => {
            received.push(name);
            resolve();
          },
          onRemoved: () => received.push(`removed ${name}`),
        });
      });
    }
    const first = [...received];
    await mesh.restart();
    assert.equal((await mesh.send("GET", "/v1/resources")).text, before);
    // A later change arrives on the resumed stream; nothing else came in between.
    const emptied = new Promise<void>((resolve) => {
      client.watch(endpointsType, "shop/catalog-v1", {
        onResource: ({ endpoints }) => (endpoints.length === 0 ? resolve() : undefined),
        onRemoved: () => {},
      });
    });
    // Its answer can come after the change on the stream: the control plane must not be closed before both.
    await mesh.send("DELETE", `/v1/workloads/${catalog.workloadId}`);
    await emptied;
    // The service "catalog" itself goes with its last workload, before or after this.
    const gone = "removed shop/catalog@shop";
    assert.deepEqual(
      received.filter((name) => name !== gone),
      [...first, "shop/catalog-v1"],
    );
  });
});

describe("API", () => {
  let mesh: TestControl;

  beforeEach(async () => {
    mesh = await TestControl.start();
  });
  afterEach(() => mesh.close());

  it("applies everything or nothing, and names every violation of every file", async () => {
    const answer = await mesh.send("POST", "/v1/apply", {
      documents: [
        { file: "a.yaml", text: SERVICES },
        {
          file: "b.yaml",
          text: "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports:\n    - prt: 80\n",
        },
        { file: "c.yaml", text: "kind: Nonsense\n" },
      ],
    });
    assert.equal(answer.status, 422);
    const { error } = answer.json<ApiError>();
    assert.equal(error.code, "RS3101");
    assert.deepEqual(
      error.violations?.map(
        ({ source, path, remedy }) =>
          `${source?.file}:${source?.line}:${source?.column} ${path} ${remedy.replace(/(?<=Namespace, Service), .*/, " …")}`,
      ),
      [
        "b.yaml:6:7 spec.ports[0].port add port, a whole number",
        "b.yaml:6:7 spec.ports[0].prt did you mean port?",
        "c.yaml:1:7 kind use one of: Namespace, Service …",
      ],
    );
    assert.deepEqual((await mesh.send("GET", "/v1/resources")).json(), { resources: [], revision: 0 });
  });

  it("says what an apply did, and would do", async () => {
    const dry = await mesh.send("POST", "/v1/apply", {
      documents: [{ file: "a", text: SERVICES }],
      author: "me",
      reason: "",
      dryRun: true,
    });
    assert.deepEqual(dry.json(), {
      revision: 0,
      changes: [
        { resource: "Service shop/catalog-v1", action: "created" },
        { resource: "Service shop/catalog-v2", action: "created" },
      ],
    });
    assert.deepEqual(
      (await mesh.apply(SERVICES)).changes.map(({ action }) => action),
      ["created", "created"],
    );
    const changed = await mesh.apply(SERVICES.replace("version: v2", "version: v3"));
    assert.deepEqual(
      changed.changes.map(({ action }) => action),
      ["unchanged", "configured"],
    );
    assert.equal(changed.revision, 2);
  });

  it("gives, filters and deletes resources under any name of their kind", async () => {
    await mesh.apply(SERVICES);
    const list = (await mesh.send("GET", "/v1/resources?kind=svc&namespace=shop")).json<{ resources: Resource[] }>();
    assert.deepEqual(
      list.resources.map(({ metadata }) => metadata.name),
      ["catalog-v1", "catalog-v2"],
    );
    assert.deepEqual((await mesh.send("GET", "/v1/resources?kind=svc&namespace=other")).json(), {
      resources: [],
      revision: 1,
    });
    assert.equal(
      (await mesh.send("GET", "/v1/resources/Service/shop/catalog-v1")).json<Resource>().metadata.generation,
      1,
    );
    const deleted = await mesh.send("DELETE", "/v1/resources/services/shop/catalog-v1");
    assert.deepEqual(deleted.json(), {
      revision: 2,
      changes: [{ resource: "Service shop/catalog-v1", action: "deleted" }],
    });
    const gone = await mesh.send("GET", "/v1/resources/Service/shop/catalog-v1");
    assert.equal(gone.status, 404);
    assert.equal(gone.json<ApiError>().error.message, "there is no Service shop/catalog-v1");
    assert.match(
      (await mesh.send("GET", "/v1/resources?kind=servce")).json<ApiError>().error.message,
      /did you mean Service\?/,
    );
  });

  it("refuses a write that is based on an older version", async () => {
    await mesh.apply(SERVICES);
    const current = (await mesh.send("GET", "/v1/resources/Service/shop/catalog-v1")).json<Resource>();
    const edited = { ...current, spec: { selector: {}, ports: [{ port: 81 }] } };
    const documents = [{ file: "a.json", text: JSON.stringify(edited) }];
    assert.equal((await mesh.send("POST", "/v1/apply", { documents })).status, 200);
    const lost = await mesh.send("POST", "/v1/apply", { documents });
    assert.equal(lost.status, 409);
    assert.equal(lost.json<ApiError>().error.code, "RS3001");
  });

  it("shows the conditions of an HTTPRoute, and since when they hold", async () => {
    interface Status {
      parents: {
        controllerName: string;
        conditions: {
          type: string;
          status: string;
          reason: string;
          observedGeneration: number;
          lastTransitionTime: string;
        }[];
      }[];
    }
    const conditions = async (): Promise<string[]> => {
      const answer = await mesh.send("GET", "/v1/resources/HTTPRoute/shop/catalog");
      const [parent] = (answer.json<Resource>().status as Status).parents;
      return parent?.conditions.map((one) => `${one.type}=${one.status}/${one.reason}@${one.observedGeneration}`) ?? [];
    };
    await mesh.apply(route(90, 10));
    assert.deepEqual(await conditions(), ["Accepted=False/NoMatchingParent@1", "ResolvedRefs=False/BackendNotFound@1"]);
    await mesh.register("catalog");
    assert.deepEqual(await conditions(), ["Accepted=True/Accepted@1", "ResolvedRefs=False/BackendNotFound@1"]);
    await mesh.apply(SERVICES);
    assert.deepEqual(await conditions(), ["Accepted=True/Accepted@1", "ResolvedRefs=True/ResolvedRefs@1"]);
    await mesh.apply(route(50, 50));
    assert.deepEqual(await conditions(), ["Accepted=True/Accepted@2", "ResolvedRefs=True/ResolvedRefs@2"]);
    const before = (await mesh.send("GET", "/v1/resources/HTTPRoute/shop/catalog")).text;
    assert.match(before, /"lastTransitionTime":"20\d\d-/);
    await mesh.restart();
    assert.equal((await mesh.send("GET", "/v1/resources/HTTPRoute/shop/catalog")).text, before);
  });

  it("refuses bodies that are no JSON, too large, or of the wrong form", async () => {
    const broken = await mesh.send("POST", "/v1/apply", "{");
    assert.equal(broken.status, 400);
    const wrong = await mesh.send("POST", "/v1/apply", { documents: [{ file: 1, text: "", txt: "" }] });
    assert.deepEqual(
      wrong.json<ApiError>().error.violations?.map(({ path }) => path),
      ["documents[0].txt", "documents[0].file"],
    );
    const large = await mesh.send("PUT", "/v1/workloads/shop/x", "x".repeat(300 * 1024)).catch(() => undefined);
    assert.ok(large === undefined || large.status === 413);
    assert.equal(
      (await mesh.send("PUT", "/v1/workloads/shop/x", { inboundAddress: "nowhere", ready: true })).status,
      400,
    );
    assert.equal((await mesh.send("GET", "/healthz")).status, 200);
  });

  it("answers unknown routes, wrong methods and bad escapes precisely", async () => {
    assert.equal((await mesh.send("GET", "/v2")).status, 404);
    assert.equal((await mesh.send("GET", "/v1/resources/%ff/a/b")).status, 404);
    const wrong = await mesh.send("PUT", "/v1/apply");
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.allow, "POST");
  });

  it("serves reads alone on loopback, to its own host name alone, and lets no other site in", async () => {
    const { loopback } = mesh;
    const info = await send(loopback, "GET", "/v1/info");
    assert.equal(info.status, 200);
    assert.equal(info.headers["access-control-allow-origin"], undefined);
    assert.equal(info.headers["x-content-type-options"], "nosniff");
    assert.equal(info.headers["x-frame-options"], "DENY");
    assert.equal((await send(loopback, "POST", "/v1/apply", {})).status, 404);
    assert.equal((await send(loopback, "DELETE", "/v1/resources/Service/shop/x")).status, 405);
    assert.equal((await send(loopback, "POST", "/v1/workloads", {})).status, 405);
    const rebound = await send(loopback, "GET", "/v1/info", undefined, { host: "evil.example" });
    assert.equal(rebound.status, 421);
    assert.equal(rebound.json<ApiError>().error.code, "RS3017");
  });

  it("answers events after a number, and refuses what is no number", async () => {
    assert.deepEqual((await mesh.send("GET", "/v1/events?after=0")).json(), { events: [] });
    assert.equal((await mesh.send("GET", "/v1/events?after=-1")).status, 400);
  });

  it("has metrics in Prometheus text", async () => {
    await mesh.apply(SERVICES);
    const answer = await mesh.send("GET", "/metrics");
    assert.match(answer.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(answer.text, /^ripstop_store_revision 1$/m);
  });

  it("streams requests that proxies report to those who tap", async () => {
    const web = await mesh.register("web");
    const client = await mesh.client(web);
    await resourceWhen(client, { type: workloadType, name: web.workloadId }, (found) => found !== undefined);
    const commanded = new Promise<void>((resolve) => {
      client.telemetry.onCommand = ({ taps }) => (taps.length > 0 ? resolve() : undefined);
    });
    const line = new Promise<string>((resolve, reject) => {
      const request = httpRequest({ ...mesh.socket, path: "/v1/tap?destination=web", agent: false }, (response) => {
        assert.equal(response.headers["content-type"], "application/x-ndjson");
        response.setEncoding("utf8").once("data", (text: string) => {
          resolve(text);
          request.destroy();
        });
      });
      request.on("error", reject);
      request.end();
    });
    await commanded;
    const event = {
      timeUnixMs: 1,
      reporter: 1,
      sourceService: "shop/shopper",
      destinationService: "shop/web",
      sourceIdentity: "spiffe://a/b",
      destinationIdentity: "",
      destinationWorkload: web.workloadId,
      protocol: "http",
      method: "GET",
      authority: "web",
      path: "/",
      status: 200,
      grpcStatus: 0,
      latencyUs: 1,
      tlsVersion: "TLSv1.3",
      bytesSent: 1,
      bytesReceived: 1,
      traceId: "",
      requestId: "",
      errorCode: "",
      errorCause: "",
      route: "",
      attempts: 1,
    } as const;
    client.telemetry.send({
      edges: [],
      taps: [{ ...event, destinationService: "shop/other" }, event],
      tapsDropped: 0,
      proxy: undefined,
    });
    assert.deepEqual(JSON.parse(await line), event);
  });
});

describe("tap", () => {
  it("is asked of a proxy that connects while one is open", async () => {
    const mesh = await TestControl.start();
    const request = httpRequest({ ...mesh.socket, path: "/v1/tap", agent: false }, (response) => response.resume());
    request.on("error", () => {});
    request.end();
    await once(request, "response");
    const client = await mesh.client(await mesh.register("web"));
    await new Promise<void>((resolve) => {
      client.telemetry.onCommand = ({ taps }) => (taps.length === 1 ? resolve() : undefined);
    });
    request.destroy();
    await mesh.close();
  });
});

describe("dashboard", () => {
  it("serves the built files and nothing beside them", async () => {
    const mesh = await TestControl.start();
    await mesh.control.close();
    const directory = join(mesh.home, "dashboard");
    await mkdir(join(directory, "assets"), { recursive: true });
    await writeFile(join(directory, "index.html"), "<!doctype html>");
    await writeFile(join(directory, "assets", "app.js"), "1");
    const started = await startControl({
      home: mesh.home,
      clock: systemClock,
      version: "",
      metrics: createMetricRegistry(),
      dashboardDirectory: directory,
    });
    assert.ok(started.ok);
    const target = { host: "127.0.0.1", port: Number(new URL(started.value.dashboardUrl).port) };
    const page = await send(target, "GET", "/");
    assert.equal(page.text, "<!doctype html>");
    assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
    assert.equal(
      (await send(target, "GET", "/assets/app.js")).headers["content-type"],
      "text/javascript; charset=utf-8",
    );
    for (const path of ["/../control.json", "/assets/../../control.json", "/%2e%2e/control.json", "/control.json"]) {
      assert.equal((await send(target, "GET", path)).status, 404, path);
    }
    await started.value.close();
    await mesh.close();
  });
});
