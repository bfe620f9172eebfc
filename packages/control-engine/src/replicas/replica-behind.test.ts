// A whole control plane that is cut off from a real etcd while another one goes on: what it does with a proxy that comes
// from there.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { holdProcess, sleep, systemClock, type Timer } from "@ripstop/core";
import {
  endpointsType,
  serviceType,
  type ControlInfo,
  type Endpoints,
  type Service,
  type WorkloadView,
} from "@ripstop/model";

import { resourceWhen, TestControl, type TestWorkload } from "../control.fixture.ts";
import { EtcdProcess, needsEtcd } from "../store/etcd/etcd-process.suite.ts";

const service = (port: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { app: "web" }, ports: [{ port }] },
  });

/** Asks again until it is so. */
async function until(look: () => Promise<boolean>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- one look after the other
  while (!(await look())) await sleep(systemClock, 20);
}

/** A way to a server that can be cut: what comes meanwhile gets no answer. */
class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  constructor(to: URL) {
    this.#server = createServer((socket) => {
      this.#add(socket);
      if (this.#isCut) return;
      const other = connect(Number(to.port), to.hostname);
      this.#add(other);
      socket.pipe(other).pipe(socket);
      socket.on("close", () => other.destroy());
      other.on("close", () => socket.destroy());
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(isCut: boolean): void {
    this.#isCut = isCut;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut(true);
    this.#server.close();
  }

  #add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

describe("a control plane that etcd does not reach", { skip: needsEtcd(), timeout: 300_000 }, () => {
  let hold: Timer;
  let etcd: EtcdProcess;
  let folder: string;
  let cable: Cable;
  let left: TestControl;
  let right: TestControl;
  let beating: Timer[];

  beforeEach(async () => {
    hold = holdProcess();
    beating = [];
    etcd = await EtcdProcess.start();
    cable = new Cable(new URL(etcd.endpoint));
    folder = await mkdtemp(join(tmpdir(), "ripstop-behind-"));
    const authorityKeyFile = join(folder, "authority.key");
    await writeFile(authorityKeyFile, Buffer.alloc(32, 3).toString("hex"), { mode: 0o600 });
    const start = (endpoint: string): Promise<TestControl> =>
      TestControl.start({ etcd: { endpoints: [endpoint], prefix: "/ripstop/" }, authorityKeyFile });
    [left, right] = await Promise.all([start(etcd.endpoint), start(await cable.open())]);
    await until(async () => (await info(right)).replicas?.length === 2);
  });

  afterEach(async () => {
    for (const timer of beating) timer.clear();
    await Promise.all([left.close(), right.close()]);
    cable.close();
    await etcd.close();
    await rm(folder, { recursive: true });
    hold.clear();
  });

  const info = async (one: TestControl): Promise<ControlInfo> => (await one.send("GET", "/v1/info")).json();

  /** A supervisor's heartbeats, to all that take them. */
  function beat({ workloadId }: TestWorkload, to: readonly TestControl[], inboundAddress: () => string): void {
    beating.push(
      systemClock.every(1_000, () => {
        const status = { inboundAddress: inboundAddress(), ready: true };
        for (const one of to) one.send("PUT", `/v1/workloads/${workloadId}`, status).catch(() => undefined);
      }),
    );
  }

  /** Refused at least one proxy, because it is behind. */
  const refused = async (): Promise<boolean> =>
    /^ripstop_config_streams_behind_total [1-9]/m.test((await right.send("GET", "/metrics")).text);

  it("gives a proxy nothing older than it has, and serves it when it has caught up", async () => {
    await left.apply(service(8081));
    const web = await left.register("web");
    beat(web, [left, right], () => "127.0.0.1:9");
    await until(async () => {
      const { workloads } = (await right.send("GET", "/v1/workloads")).json<{ workloads: WorkloadView[] }>();
      return workloads.length === 1 && (await info(right)).revision === 1;
    });
    cable.cut(true);
    await left.apply(service(8082));
    const client = await left.client({ ...web, controlAddresses: [left.control.streamAddress] });
    const ports: (number | undefined)[] = [];
    client.watch<Service>(serviceType, "shop/web", {
      onResource: ({ ports: [first] }) => void ports.push(first?.port),
      onRemoved: () => void ports.push(undefined),
    });
    await resourceWhen(client, { type: serviceType, name: "shop/web" }, (one) => one?.ports[0]?.port === 8082);
    client.setControlAddresses([right.control.streamAddress]);
    await left.control.close();
    await until(refused);
    assert.equal((await info(right)).revision, 1);
    assert.deepEqual(ports, [8082]);
    cable.cut(false);
    await resourceWhen(client, { type: serviceType, name: "shop/web" }, (one) => one !== undefined);
    await until(async () => (await info(right)).proxies === 1);
    await right.apply(service(8083));
    await resourceWhen(client, { type: serviceType, name: "shop/web" }, (one) => one?.ports[0]?.port === 8083);
    assert.deepEqual(ports, [8082, 8083]);
  });

  it("gives a proxy no endpoint that is older than the one it has, of the same revision of the config", async () => {
    const [web, orders] = [await left.register("web"), await left.register("orders")];
    let address = "127.0.0.1:1001";
    beat(web, [left, right], () => "127.0.0.1:9");
    // Nobody but the left one hears from it.
    beat(orders, [left], () => address);
    const addressIs = (one: TestControl): Promise<void> =>
      until(async () => {
        const { workloads } = (await one.send("GET", "/v1/workloads")).json<{ workloads: WorkloadView[] }>();
        return workloads.some(({ inboundAddress }) => inboundAddress === address);
      });
    await addressIs(right);
    cable.cut(true);
    address = "127.0.0.1:1002";
    const status = { inboundAddress: address, ready: true };
    // Acknowledged: it is in etcd.
    assert.equal((await left.send("PUT", `/v1/workloads/${orders.workloadId}`, status)).status, 200);
    const client = await left.client({ ...web, controlAddresses: [left.control.streamAddress] });
    const addresses: (string | undefined)[] = [];
    client.watch<Endpoints>(endpointsType, "shop/orders", {
      onResource: ({ endpoints: [first] }) => void addresses.push(first?.address),
      onRemoved: () => void addresses.push(undefined),
    });
    await resourceWhen(
      client,
      { type: endpointsType, name: "shop/orders" },
      (one) => one?.endpoints[0]?.address === address,
    );
    client.setControlAddresses([right.control.streamAddress]);
    await left.control.close();
    await until(refused);
    assert.equal((await info(right)).revision, 0, "the revision of the config says nothing of it");
    assert.deepEqual(addresses, ["127.0.0.1:1002"]);
    cable.cut(false);
    await until(async () => (await info(right)).proxies === 1);
    // What the right one owes the proxy is sent before this.
    await right.apply(service(8083));
    await resourceWhen(client, { type: serviceType, name: "shop/web" }, (one) => one?.ports[0]?.port === 8083);
    assert.equal(addresses.includes("127.0.0.1:1001"), false);
  });
});
