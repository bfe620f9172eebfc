import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProxyView, WorkloadView } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";
import { importTable, replicasText, workloadTable } from "./status.ts";

describe("replicasText", () => {
  const replica = {
    id: "a",
    version: "1",
    streamAddress: "10.0.0.1:1",
    joinAddress: "10.0.0.1:2",
    startedMs: 0,
    proxies: 7,
    leader: true,
    self: false,
  };

  it("says nothing of a control plane that is alone", () => {
    assert.equal(replicasText({}), "");
  });

  it("shows where each is, its proxies, who leads and who answers", () => {
    const text = replicasText({ replicas: [replica, { ...replica, id: "b", leader: false, self: true }], cutOffMs: 0 });
    assert.match(text, /^\nCONTROL PLANE/);
    assert.match(text, /^a +10\.0\.0\.1:1 +10\.0\.0\.1:2 +7 +leads$/m);
    assert.match(text, /^b .* 7 +answers$/m);
  });

  it("names the one that does not answer, and how many proxies nothing is known of", () => {
    const unknown = [{ id: "c2", streamAddress: "10.0.0.6:1", proxies: 12, reason: "it does not answer" }];
    const text = replicasText({ replicas: [replica], cutOffMs: 0 }, unknown);
    assert.match(text, /^control plane c2 \(10\.0\.0\.6:1\): it does not answer: 12 proxies unknown$/m);
  });

  it("says first that it may be old", () => {
    assert.match(replicasText({ replicas: [replica], cutOffMs: 4_200 }), /^this control plane is cut off: .* 4 s/);
  });
});

describe("importTable", () => {
  it("says nothing when nothing is imported", () => assert.equal(importTable([]), ""));

  it("shows for each source its Service, where it asks, what it has and how it stands", () => {
    const source = (name: string, from: object, status?: object): Resource => ({
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "EndpointSource",
      metadata: { name } as Resource["metadata"],
      spec: { service: { namespace: "shop", name: "orders" }, ...from },
      ...(status === undefined ? {} : { status }),
    });
    const failed = [{ type: "Imported", status: "False", reason: "NotAnswered" }];
    const text = importTable([
      source("a", { dnsSrv: { name: "_http._tcp.orders.test" } }, { instances: 3, conditions: failed }),
      source("b", { consul: { url: "https://consul:8501", service: "orders" } }),
    ]);
    assert.match(text, /^a +shop\/orders +SRV _http\._tcp\.orders\.test +3 +Imported=False NotAnswered$/m);
    assert.match(text, /^b +shop\/orders +Consul orders at https:\/\/consul:8501 +-/m);
  });
});

describe("workloadTable", () => {
  const workload: WorkloadView = {
    id: "shop/web-1",
    service: "web",
    namespace: "shop",
    version: "v1",
    spiffeId: "spiffe://mesh.local/ns/shop/sa/web",
    labels: {},
    annotations: {},
    applicationAddress: "127.0.0.1:8080",
    inboundAddress: "127.0.0.1:15001",
    ready: true,
    proxyConnected: true,
    mutualTls: true,
    requests: 12,
    proxyResidentBytes: 0,
    proxyPid: 1,
    svidNotAfterMs: 0,
  };
  const row = (change: Partial<WorkloadView>): string =>
    workloadTable([{ ...workload, ...change }]).split("\n")[1] ?? "";

  it("shows service, version, identity, address, mutual TLS and requests", () => {
    assert.match(
      row({}),
      /^shop\/web +v1 +spiffe:\/\/mesh\.local\/ns\/shop\/sa\/web +127\.0\.0\.1:8080 +yes +yes +12$/,
    );
  });

  it("says until when a workload is held down, and why", () => {
    const heldDown = { untilMs: Date.UTC(2026, 0, 1, 10, 20, 30), times: 5 };
    assert.match(row({ heldDown }), / yes, held down until 10:20:30 UTC: went away 5 times +yes +12$/);
  });

  it("cries out when traffic came without mutual TLS", () => {
    assert.match(row({ mutualTls: false }), / NO +12$/);
  });

  it("tells no traffic from no port", () => {
    assert.match(row({ mutualTls: undefined, requests: 0 }), / no traffic +0$/);
    assert.match(row({ mutualTls: undefined, requests: 0, applicationAddress: "" }), / - +yes +- +0$/);
  });

  it("tells for each proxy whether its config is live, for how long not, and why it refused some", () => {
    const stream = { proxyId: "shop/web-1", identity: "", synced: true, pendingMs: 0, rejected: [] };
    const config = (...proxies: ProxyView[]): string => workloadTable([workload], { proxies }).split("\n")[1] ?? "";
    assert.match(config(stream), / synced$/);
    assert.match(config({ ...stream, synced: false, pendingMs: 1234.4 }), / pending for 1234 ms$/);
    assert.match(config({ ...stream, rejected: [{ type: "Policy", reason: "no" }] }), / rejected Policy: no$/);
    assert.match(
      config(stream, { ...stream, proxyId: "shop/web-1#1", synced: false, pendingMs: 5 }),
      / pending for 5 ms$/,
      "one worker is behind",
    );
    assert.match(config(), / not connected$/);
    const unknown = [{ id: "c2", streamAddress: "10.0.0.6:1", proxies: 12, reason: "it does not answer" }];
    assert.match(workloadTable([workload], { proxies: [], unknown }), / unknown$/m);
  });
});
