// Rate limits, faults and calls outside in a real mesh: the examples of their pages, the kill switch, a shared limit.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { MeshClient, type Answer } from "./http-client.ts";
import { Mesh, root } from "./mesh.ts";
import { echoServer } from "./programs.ts";

/** The first example of a page. */
function exampleOf(page: string): string {
  const text = readFileSync(join(root, "docs", page), "utf8");
  return /^```yaml\n(.*?)^```/ms.exec(text)?.[1] ?? "";
}

describe("limits and faults in a real mesh", () => {
  const mesh = new Mesh();
  let client: MeshClient;
  const send = (url: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Answer> =>
    client.send(url, { headers, method });
  const apply = async (yaml: string): Promise<void> => {
    const applied = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], yaml);
    assert.equal(applied.code, 0, applied.output);
  };

  before(async () => {
    await mesh.startControl();
    for (const service of ["stock", "carts", "orders"])
      mesh.ripstop([
        "run",
        "--namespace",
        "shop",
        "--service",
        service,
        "--port",
        "auto",
        "--",
        process.execPath,
        "--eval",
        echoServer,
      ]);
    await mesh.until("the services are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.length === 3 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    client = await MeshClient.start(mesh, "web", ["--namespace", "shop"]);
  });
  after(() => mesh.stop());

  it("holds the limits of the example, each customer by himself", async () => {
    // Ten a day instead of ten a minute: a token comes back every two hours, not every six seconds.
    await apply(exampleOf("rate-limits.md").replace("period: 1m", "period: 24h"));
    const order = (customer: string): Promise<Answer> =>
      send("http://stock.shop/orders/1", { "x-tier": "free", "x-customer": customer }, "POST");
    const statuses: number[] = [];
    for (let at = 0; at < 4; at++) statuses.push((await order("ann")).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    const refused = await order("ann");
    assert.equal(refused.headers["ratelimit-policy"], '"orders-of-a-customer";q=10;w=86400');
    assert.match(refused.headers["retry-after"] ?? "", /^\d+$/);
    assert.equal((await order("ben")).status, 200);
    assert.equal((await send("http://stock.shop/export")).status, 200);
    assert.equal((await send("http://stock.shop/export")).status, 200);
    assert.equal(
      (await mesh.command(["delete", "ratelimitpolicy", "stock", "-n", "shop", "--wait", "--timeout", "2m"])).code,
      0,
    );
  });

  it("lets no more through at two proxies together than their shared limit, as shares are handed out", async () => {
    await apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: RateLimitPolicy
metadata: { name: shared, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: carts }, { kind: Service, name: orders }]
  rules:
    - name: all
      scope: Global
      limit: { requests: 40, period: 24h }
`);
    // A day's limit gives nothing back while the test runs: what passes is shares alone.
    const passed = { carts: 0, orders: 0 };
    for (let at = 0; at < 60; at++) {
      for (const service of ["carts", "orders"] as const)
        if ((await send(`http://${service}.shop/`)).status === 200) passed[service]++;
    }
    assert.ok(passed.carts >= 10 && passed.orders >= 10, JSON.stringify(passed));
    assert.ok(passed.carts + passed.orders <= 40, JSON.stringify(passed));
  });

  it("injects the faults of the example, shows them, and ends all of them by one command", async () => {
    await apply(exampleOf("faults.md").replace("percentage: 0.1", "percentage: 0"));
    const chaos = (): Promise<Answer> => send("http://stock.shop/stock/1", { "x-chaos": "1" });
    const broken = await chaos();
    assert.equal(broken.status, 503);
    assert.equal(broken.headers["x-ripstop-error"], "RS1270");
    assert.equal((await send("http://stock.shop/stock/1")).status, 200);
    const listed = JSON.parse((await mesh.command(["fault", "list", "-o", "json"])).output) as {
      readonly name: string;
      readonly active: boolean;
      readonly ends: string;
    }[];
    assert.deepEqual(
      listed.map(({ name, active }) => [name, active]),
      [["slow-stock", true]],
    );
    // 2099 is too far away: a day is the most.
    assert.ok(Date.parse(listed[0]?.ends ?? "") < Date.UTC(2099, 0));
    assert.equal((await mesh.command(["fault", "stop"])).code, 2);
    const stopped = await mesh.command(["fault", "stop", "--all", "--timeout", "2m"]);
    assert.equal(stopped.code, 0, stopped.output);
    assert.match(stopped.output, /live on \d of \d proxies/);
    assert.equal((await chaos()).status, 200);
    assert.match((await mesh.command(["fault", "list"])).output, /no fault is injected/);
  });

  it("lists what is called outside, lets declared hosts out alone where a namespace says so, and services always", async () => {
    const outside = createServer((request, response) => response.end(`outside ${String(request.headers.host)}`));
    await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
    const { port } = outside.address() as AddressInfo;
    try {
      const undeclared = `http://127.0.0.1:${port}/`;
      assert.equal((await send(undeclared)).status, 200);
      await apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: ExternalService
metadata: { name: outside, namespace: shop }
spec:
  hosts: ["*.outside.example"]
  resolution: Static
  addresses: [127.0.0.1]
  ports: [{ port: 80, protocol: HTTP, targetPort: ${port} }]
---
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { ripstop.mesh/egress: deny } }
`);
      assert.equal((await send("http://api.outside.example/")).body, "outside api.outside.example");
      const refused = await send(undeclared);
      assert.deepEqual([refused.status, refused.headers["x-ripstop-error"]], [403, "RS1085"]);
      assert.equal((await send("http://other.example/")).status, 403);
      assert.equal((await send("http://stock.shop/")).status, 200);
      const row = await mesh.until("the list has both calls", async () => {
        const { output } = await mesh.command(["egress", "seen", "-o", "json"]);
        const rows = JSON.parse(output) as { host: string; service: string; count: number; denied: number }[];
        return rows.find(({ host, count }) => host === "127.0.0.1" && count === 2);
      });
      assert.deepEqual([row.service, row.denied], ["shop/web", 1]);
    } finally {
      outside.closeAllConnections();
      await new Promise((resolve) => outside.close(resolve));
    }
  });

  it("ends faults where a namespace comes to forbid them, and refuses new ones there", async () => {
    const fault = exampleOf("faults.md").replace("percentage: 0.1", "percentage: 0").replace("300ms", "1ms");
    await apply(fault);
    await apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {ripstop.mesh/faults: deny}}}");
    assert.equal((await send("http://stock.shop/stock/1", { "x-chaos": "1" })).status, 200);
    const again = await mesh.command(["apply", "-f", "-"], fault.replace("slow-stock", "another"));
    assert.equal(again.code, 3);
    assert.match(again.output, /namespace shop refuses faults/i);
  });
});
