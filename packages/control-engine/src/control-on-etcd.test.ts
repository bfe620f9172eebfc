// A whole control plane that keeps its resources in a real etcd.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { ControlInfo } from "@ripstop/model";

import { TestControl } from "./control.fixture.ts";
import { EtcdProcess, needsEtcd } from "./store/etcd/etcd-process.suite.ts";

const SERVICE = JSON.stringify({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
});

describe("a control plane on etcd", { skip: needsEtcd() }, () => {
  it("has resources and workloads again after a restart, and shares its prefix with no other home", async () => {
    const etcd = await EtcdProcess.start();
    const settings = { endpoints: [etcd.endpoint], prefix: "/test/" };
    const mesh = await TestControl.start({ etcd: settings });
    await mesh.apply(SERVICE);
    const { workloadId } = await mesh.register("web");
    await mesh.restart();
    assert.equal((await mesh.send("GET", "/v1/resources/Service/shop/web")).status, 200);
    assert.equal((await mesh.send("GET", "/v1/info")).json<ControlInfo>().revision, 1);
    const { workloads } = (await mesh.send("GET", "/v1/workloads")).json<{ workloads: { id: string }[] }>();
    assert.deepEqual(
      workloads.map(({ id }) => id),
      [workloadId],
    );
    await assert.rejects(TestControl.start({ etcd: settings }), /RS3062/);
    await mesh.close();
    await etcd.close();
  });
});
