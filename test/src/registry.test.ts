// A workload of the mesh calls a service whose instances are imported: from a name server and from Consul's API, both real
// servers, with `ripstop run`, `apply`, `get` and `status` as users run them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";

import { TestConsulServer, TestDnsServer } from "@ripstop/testkit/registries";
import { Mesh } from "./mesh.ts";

/** Calls the service again and again, and prints who answered. */
const caller = `
const http = require("node:http");
const proxy = new URL(process.env.HTTP_PROXY || process.env.http_proxy);
const ask = () => {
  const request = http.request({ host: proxy.hostname, port: proxy.port, path: "http://orders/", headers: { host: "orders" }, agent: false }, (response) => {
    let text = "";
    response.on("data", (chunk) => (text += chunk));
    response.on("end", () => { console.log("answer " + response.statusCode + " " + text.slice(0, 80)); setTimeout(ask, 50); });
  });
  request.on("error", (error) => { console.log("error " + error.message); setTimeout(ask, 50); });
  request.end();
};
ask();
process.on("SIGTERM", () => process.exit(0));
`;

async function instance(name: string): Promise<Server> {
  const server = createServer((_request, response) => response.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe("a service whose instances are imported", () => {
  const mesh = new Mesh();
  let dns: TestDnsServer;
  let consul: TestConsulServer;
  let instances: readonly Server[];

  before(async () => {
    [dns, consul] = await Promise.all([TestDnsServer.start(), TestConsulServer.start()]);
    instances = await Promise.all(["by-dns", "by-consul"].map(instance));
    await mesh.startControl();
  });
  after(async () => {
    await mesh.stop();
    for (const server of instances) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.all([dns.close(), consul.close()]);
  });

  it("is called by a workload of the mesh, and follows its registries", async () => {
    const [byDns, byConsul] = instances;
    assert.ok(byDns && byConsul);
    dns.records = [
      {
        type: "SRV",
        name: "_http._tcp.orders.test",
        ttl: 5,
        data: { target: "a.test", port: portOf(byDns), priority: 1, weight: 1 },
      },
      { type: "A", name: "a.test", ttl: 5, data: "127.0.0.1" },
    ];
    const applied = await mesh.command(
      ["apply", "-f", "-"],
      `apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: ripstop.mesh/v1alpha1
kind: EndpointSource
metadata: {name: orders-dns}
spec:
  service: {namespace: shop, name: orders}
  dnsSrv: {name: _http._tcp.orders.test, nameServers: ["${dns.address}"]}
`,
    );
    assert.equal(applied.code, 0, applied.output);
    const web = mesh.ripstop(["run", "--service", "web", "--namespace", "shop", "--", process.execPath, "-e", caller]);
    await web.printed(/answer 200 by-dns/);

    await mesh.until("the source is shown to be well", async () => {
      const { output } = await mesh.command(["get", "endpointsources"]);
      return /EndpointSource +- +orders-dns .* ok$/m.test(output) || undefined;
    });

    // Consul has instances now, and DNS has none any more.
    consul.token = "s3cret";
    consul.set("orders", [{ nodeAddress: "127.0.0.1", address: "", port: portOf(byConsul) }]);
    const more = await mesh.command(
      ["apply", "-f", "-"],
      `apiVersion: v1
kind: Secret
metadata: {name: consul, namespace: ops}
stringData: {token: s3cret}
---
apiVersion: ripstop.mesh/v1alpha1
kind: EndpointSource
metadata: {name: orders-consul}
spec:
  service: {namespace: shop, name: orders}
  consul: {url: "${consul.url}", service: orders, tokenSecret: {namespace: ops, name: consul}}
`,
    );
    assert.equal(more.code, 0, more.output);
    await web.printed(/answer 200 by-consul/);
    dns.records = [];
    await mesh.until("the source of DNS has no instance", async () => {
      const { output } = await mesh.command(["get", "endpointsource", "orders-dns", "-o", "json"]);
      return (JSON.parse(output) as { status: { instances: number } }).status.instances === 0 ? true : undefined;
    });

    // Consul fails: the last set stays, and the status says so.
    consul.override = { status: 500, body: "No cluster leader" };
    consul.wake();
    await mesh.until("the failure is told", async () => {
      const { output } = await mesh.command(["status"]);
      return (
        /orders-consul +shop\/orders +Consul orders at \S+ +1 +Imported=False NotAnswered/.test(output) || undefined
      );
    });
    const printed = web.output().length;
    await mesh.until("the last set is called", () =>
      web.output().slice(printed).includes("answer 200 by-consul") ? true : undefined,
    );
    const metrics = await mesh.api("GET", "/metrics");
    assert.match(metrics.body, /^ripstop_import_sources 2$/m);
    assert.match(metrics.body, /^ripstop_imported_instances 1$/m);
    assert.match(metrics.body, /^ripstop_import_failures_total [1-9]/m);
    const events = await mesh.api("GET", "/v1/events");
    assert.match(events.body, /"ImportFailed"/);
  });
});
