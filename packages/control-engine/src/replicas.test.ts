// Several whole control planes on one real etcd: one mesh.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { holdProcess, sleep, systemClock, type Timer } from "@ripstop/core";
import { SealingKey } from "@ripstop/identity/authority";
import type {
  AuditPage,
  ControlInfo,
  HeartbeatResponse,
  LiveStatus,
  MeshEvent,
  ProxyList,
  RotationStatus,
  WorkloadView,
} from "@ripstop/model";
import { endpointsType, serviceType } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";
import { TestConsulServer } from "@ripstop/testkit/registries";

import { resourceWhen, TestControl } from "./control.fixture.ts";
import { EtcdProcess, needsEtcd } from "./store/etcd/etcd-process.suite.ts";
import { openEtcdStore } from "./store/etcd/etcd-store.ts";

const service = (port: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { app: "web" }, ports: [{ port }] },
  });

/** Asks again until there is an answer. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    await sleep(systemClock, 20);
  }
}

describe("several control planes on one etcd", { skip: needsEtcd() }, () => {
  let hold: Timer;
  let etcd: EtcdProcess;
  let folder: string;
  let keyFile: string;
  let prefixes = 0;

  before(async () => {
    hold = holdProcess();
    etcd = await EtcdProcess.start();
    folder = await mkdtemp(join(tmpdir(), "ripstop-replicas-"));
    keyFile = join(folder, "authority.key");
    await writeFile(keyFile, Buffer.alloc(32, 3).toString("hex"), { mode: 0o600 });
  });

  after(async () => {
    hold.clear();
    await etcd.close();
    await rm(folder, { recursive: true });
  });

  function start(prefix: string): Promise<TestControl> {
    return TestControl.start({ etcd: { endpoints: [etcd.endpoint], prefix }, authorityKeyFile: keyFile });
  }

  async function mesh(count: number): Promise<readonly TestControl[]> {
    const prefix = `/mesh-${prefixes++}/`;
    const all = await Promise.all(Array.from({ length: count }, () => start(prefix)));
    for (const one of all) await until(async () => ((await info(one)).replicas?.length === count ? true : undefined));
    return all;
  }

  const info = async (one: TestControl): Promise<ControlInfo> => (await one.send("GET", "/v1/info")).json();

  const workloads = async (one: TestControl): Promise<readonly WorkloadView[]> =>
    (await one.send("GET", "/v1/workloads")).json<{ workloads: WorkloadView[] }>().workloads;

  it("share resources, workloads and roots, and know each other and one leader", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    await left.apply(service(80));
    const read = await right.send("GET", "/v1/resources/Service/shop/web");
    assert.equal(read.status, 200);
    assert.equal(read.headers["ripstop-consistency"], "linearizable");
    const web = await left.register("web");
    assert.deepEqual(
      (await until(async () => ((await workloads(right)).length > 0 ? workloads(right) : undefined))).map(
        ({ id }) => id,
      ),
      [web.workloadId],
    );
    const views = (await info(right)).replicas ?? [];
    assert.equal(views.filter(({ leader }) => leader).length, 1);
    assert.deepEqual(
      views.map(({ streamAddress }) => streamAddress).sort(),
      [left.control.streamAddress, right.control.streamAddress].sort(),
    );
    // Whoever registers hears of both, and an SVID of the one is good at the other.
    assert.equal(web.controlAddresses.length, 2);
    const client = await right.client({ ...web, controlAddresses: [right.control.streamAddress] });
    await resourceWhen(client, { type: endpointsType, name: "shop/web" }, (one) => one !== undefined);
    assert.ok(client.connected);
    await Promise.all([left.close(), right.close()]);
  });

  it("tell of the proxies of all, and wait for all of them, whichever is asked", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    await left.apply(service(80));
    const web = await left.register("web");
    const shop = await left.register("shop");
    await until(async () => ((await workloads(right)).length === 2 ? true : undefined));
    const status = { inboundAddress: "127.0.0.1:9", ready: true };
    // Their heartbeats, however long this takes.
    const beating = systemClock.every(1_000, () => {
      for (const { workloadId } of [web, shop])
        left.send("PUT", `/v1/workloads/${workloadId}`, status).catch(() => undefined);
    });
    const at = (one: TestControl): readonly string[] => [one.control.streamAddress];
    const clients = [
      await left.client({ ...web, controlAddresses: at(left) }),
      await right.client({ ...shop, controlAddresses: at(right) }),
    ];
    // Somebody watches before the others and on, so that the clients never give up what they subscribed to.
    const watching = { onResource: () => undefined, onRemoved: () => undefined };
    for (const client of clients) client.watch(serviceType, "shop/web", watching);
    for (const client of clients)
      await resourceWhen(client, { type: serviceType, name: "shop/web" }, (one) => one !== undefined);
    const list = async (one: TestControl, query = ""): Promise<ProxyList> =>
      (await one.send("GET", `/v1/proxies${query}`)).json<ProxyList>();
    const ids = ({ proxies }: ProxyList): readonly string[] => proxies.map(({ proxyId }) => proxyId).sort();
    for (const one of [left, right]) {
      const whole = await until(async () => {
        const found = await list(one);
        const isWhole = found.unknown === undefined && found.proxies.length === 2;
        return isWhole && found.proxies.every(({ synced }) => synced) ? found : undefined;
      });
      assert.deepEqual(ids(whole), [shop.workloadId, web.workloadId].sort());
      assert.equal(new Set(whole.proxies.map(({ replica }) => replica)).size, 2);
    }
    assert.deepEqual(ids(await list(left, "?here=true")), [web.workloadId]);
    for (const [port, asked] of [[8081, left] as const, [8082, right] as const]) {
      const { revision } = await left.apply(service(port));
      await right.send("GET", "/v1/resources/Service/shop/web");
      const { elapsedMs, ...rest } = await until(async () => {
        const answer = await asked.send("GET", `/v1/revisions/${revision}/live?waitMs=60000`);
        const live = answer.json<LiveStatus>();
        return live.unknown === undefined ? live : undefined;
      });
      assert.deepEqual(rest, { revision, total: 2, live: 2, pending: [], rejected: [] });
      assert.ok(elapsedMs >= 0);
    }
    beating.clear();
    await Promise.all([left.close(), right.close()]);
  });

  it("name the one that does not answer, with the proxies that nothing is known of", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    const { revision } = await left.apply(service(80));
    // A third one that etcd knows of, at whose address nobody ever answers.
    const silent = createServer((socket) => socket.on("error", () => socket.destroy()));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const joinAddress = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const prefix = `/mesh-${prefixes - 1}/`;
    const record = {
      version: "1",
      streamAddress: "10.9.9.9:1",
      joinAddress,
      startedMs: 0,
      proxies: 12,
      rootSha256: "",
    };
    const key = await SealingKey.read(keyFile);
    assert.ok(key.ok);
    const third = await openEtcdStore({
      endpoints: [etcd.endpoint],
      prefix,
      clock: systemClock,
      homeId: key.value.meshId,
      replicaId: "third",
    });
    third.replication?.announce(record);
    await until(async () =>
      (await info(left)).replicas?.some(({ id }) => id === "third") === true ? true : undefined,
    );
    const unknown = [{ id: "third", streamAddress: "10.9.9.9:1", proxies: 12, reason: "it does not answer" }];
    const [list, live] = await Promise.all([
      left.send("GET", "/v1/proxies"),
      left.send("GET", `/v1/revisions/${revision}/live?waitMs=0`),
    ]);
    for (const answer of [list, live])
      assert.deepEqual(
        answer.json<ProxyList>().unknown?.filter(({ id }) => id === "third"),
        unknown,
      );
    await third.close();
    silent.close();
    await Promise.all([left.close(), right.close()]);
  });

  it("show what any of them recorded", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    await left.apply(service(80));
    await right.send("GET", "/v1/resources/Service/shop/web");
    await right.apply(service(81));
    const log = (one: TestControl, query = ""): Promise<readonly string[]> =>
      until(async () => {
        const page = (await one.send("GET", `/v1/audit${query}`)).json<AuditPage>();
        return page.unknown === undefined ? page.entries.map(({ replica = "" }) => replica) : undefined;
      });
    const ids = ((await info(left)).replicas ?? []).map(({ id }) => id).sort();
    for (const one of [left, right]) assert.deepEqual([...(await log(one))].sort(), ids);
    assert.deepEqual(await log(left, "?here=true"), [""]);
    assert.equal((await log(left, "?limit=1")).length, 1);
    await Promise.all([left.close(), right.close()]);
  });

  it("tell nobody but each other", async () => {
    const [one] = await mesh(1);
    assert.ok(one);
    const web = await one.register("web");
    const [host, port] = one.control.joinAddress.split(":");
    const ask = (identity: { readonly cert?: string; readonly key?: string }): Promise<number> =>
      new Promise((resolve, reject) => {
        const path = "/v1/replica/proxies";
        const tls = { ...identity, ca: web.bundlePem, checkServerIdentity: () => undefined };
        get({ host, port, path, agent: false, ...tls }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        }).on("error", reject);
      });
    assert.equal(await ask({}), 401);
    assert.equal(await ask({ cert: web.svidChainPem, key: web.keyPem }), 403);
    await one.close();
  });

  it("lets one of two writers of one version win, and tells the other", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    await left.apply(service(80));
    const versioned = (port: number): string => {
      const text = JSON.parse(service(port)) as { metadata: Record<string, string> };
      text.metadata["resourceVersion"] = "1";
      return JSON.stringify(text);
    };
    await right.send("GET", "/v1/resources/Service/shop/web");
    const both = await Promise.all(
      [left, right].map((one, index) =>
        one.send("POST", "/v1/apply", { documents: [{ file: "a", text: versioned(8080 + index) }] }),
      ),
    );
    assert.deepEqual(
      both.map(({ status }) => status).sort((a, b) => a - b),
      [200, 409],
    );
    assert.match(both.find(({ status }) => status === 409)?.text ?? "", /RS3001/);
    await Promise.all([left.close(), right.close()]);
  });

  it("keep a workload whose control plane died, while its heartbeats come to another one", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    const web = await left.register("web");
    await until(async () => ((await workloads(right)).length > 0 ? true : undefined));
    await left.control.close();
    const status = { inboundAddress: "127.0.0.1:9", ready: true };
    const answer = await right.send("PUT", `/v1/workloads/${web.workloadId}`, status);
    assert.equal(answer.status, 200, answer.text);
    await until(async () => ((await info(right)).replicas?.length === 1 ? true : undefined));
    assert.deepEqual(answer.json<HeartbeatResponse>().replicas?.streams.includes(right.control.streamAddress), true);
    assert.equal((await workloads(right)).length, 1);
    await right.close();
    await rm(left.home, { recursive: true, force: true });
  });

  it("import from outside by their leader, and who leads next has the whole set though nobody answers it", async () => {
    const consul = await TestConsulServer.start();
    consul.set(
      "orders",
      [1, 2].map((port) => ({ nodeAddress: "10.0.0.1", address: "", port })),
    );
    const all = await mesh(2);
    const spec = { service: { namespace: "shop", name: "orders" }, consul: { url: consul.url, service: "orders" } };
    await all[0]?.apply(
      JSON.stringify({
        apiVersion: "ripstop.mesh/v1alpha1",
        kind: "EndpointSource",
        metadata: { name: "orders" },
        spec,
      }),
    );
    const status = async (one: TestControl): Promise<string> => {
      const read = await one.send("GET", "/v1/resources/EndpointSource/-/orders");
      return read.status === 200 ? JSON.stringify(read.json<Resource>().status) : "";
    };
    for (const one of all)
      await until(async () => (/"reason":"Imported".*"instances":2/.test(await status(one)) ? true : undefined));
    const leads = async (one: TestControl): Promise<boolean> =>
      (await info(one)).replicas?.find(({ self }) => self)?.leader === true;
    const [first, second] = all;
    assert.ok(first && second);
    const [leader, other] = (await leads(first)) ? [first, second] : [second, first];
    consul.override = { status: 500, body: "No cluster leader" };
    await leader.control.close();
    await until(async () => ((await leads(other)) ? true : undefined));
    await until(async () => (/"reason":"NotAnswered".*"instances":2/.test(await status(other)) ? true : undefined));
    await other.close();
    await rm(leader.home, { recursive: true, force: true });
    await consul.close();
  });

  it("exchange the root together, whoever is asked to", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    const follower = (await info(left)).replicas?.find(({ self }) => self)?.leader === true ? right : left;
    const old = (await follower.send("GET", "/v1/identity/rotation")).json<RotationStatus>().signingRootSha256;
    assert.equal((await follower.send("POST", "/v1/identity/rotation", {})).status, 200);
    for (const one of [left, right]) {
      const done = await until(async () => {
        const status = (await one.send("GET", "/v1/identity/rotation")).json<RotationStatus>();
        return status.last?.outcome === "done" ? status : undefined;
      });
      assert.notEqual(done.signingRootSha256, old);
    }
    await Promise.all([left.close(), right.close()]);
  });

  it("mark what they read, and refuse heartbeats, while etcd is away; and go on when it is back", async () => {
    const [left, right] = await mesh(2);
    assert.ok(left && right);
    await left.apply(service(80));
    await right.send("GET", "/v1/resources/Service/shop/web");
    const web = await right.register("web");
    await etcd.kill();
    await until(async () => (((await info(right)).cutOffMs ?? 0) > 0 ? true : undefined));
    const read = await right.send("GET", "/v1/resources/Service/shop/web");
    assert.equal(read.status, 200);
    assert.match(String(read.headers["ripstop-consistency"]), /^stale; cut-off-ms=[1-9]/);
    const exact = await right.send("GET", "/v1/resources/Service/shop/web?consistency=linearizable");
    assert.equal(exact.status, 503);
    assert.match(exact.text, /RS3091/);
    const status = { inboundAddress: "127.0.0.1:9", ready: true };
    const refused = await right.send("PUT", `/v1/workloads/${web.workloadId}`, status);
    assert.match(refused.text, /RS3090/);
    const told = async (): Promise<readonly string[]> =>
      (await right.send("GET", "/v1/events"))
        .json<{ events: MeshEvent[] }>()
        .events.map(({ type }) => type)
        .filter((type) => type.startsWith("ReplicaC") || type.startsWith("ReplicaB"));
    // It looks once a second: etcd must not be back before it has seen that it was away.
    await until(async () => ((await told()).length > 0 ? true : undefined));
    await etcd.start();
    await until(async () => ((await info(right)).cutOffMs === 0 ? true : undefined));
    assert.equal((await right.send("PUT", `/v1/workloads/${web.workloadId}`, status)).status, 200);
    await until(async () => ((await told()).length > 1 ? true : undefined));
    // A machine that stops this process for seconds cuts it off as well.
    assert.match((await told()).join(), /^ReplicaCutOff,ReplicaBack(,ReplicaCutOff,ReplicaBack)*$/);
    await until(async () =>
      (await right.send("GET", "/v1/resources")).headers["ripstop-consistency"] === "linearizable" ? true : undefined,
    );
    await Promise.all([left.close(), right.close()]);
  });

  it("refuse a key file that is not the mesh's, and options that do not go together", async () => {
    const prefix = `/mesh-${prefixes++}/`;
    const one = await start(prefix);
    const other = join(folder, "other.key");
    await writeFile(other, Buffer.alloc(32, 4).toString("hex"), { mode: 0o600 });
    const settings = { endpoints: [etcd.endpoint], prefix };
    await assert.rejects(TestControl.start({ etcd: settings, authorityKeyFile: other }), /RS3062/);
    await assert.rejects(TestControl.start({ etcd: settings, authorityKeyFile: join(folder, "none") }), /RS3088/);
    await assert.rejects(TestControl.start({ authorityKeyFile: keyFile }), /RS3089/);
    await assert.rejects(TestControl.start({ etcd: settings }), /RS3062/);
    await one.close();
  });
});
