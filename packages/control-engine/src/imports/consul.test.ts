// Instances from Consul's catalog: blocking queries as its documentation describes them.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { err, ok, type Result } from "@ripstop/core";
import type { ConsulSpec } from "@ripstop/resources";
import { PatientClock, TestAuthority } from "@ripstop/testkit";
import { TestConsulServer } from "@ripstop/testkit/registries";

import { ConsulSource } from "./consul.ts";
import { instanceId, type ImportAnswer } from "./import-source.ts";

const never = new AbortController().signal;
const one = { nodeAddress: "10.1.10.12", address: "", port: 8000 };

/** The sample response of the documentation (api-docs/health, List Service Instances for Service), one instance of redis. */
const SAMPLE = `[{"Node":{"ID":"40e4a748-2192-161a-0510-9bf59fe950b5","Node":"foobar","Address":"10.1.10.12","Datacenter":"dc1",
"TaggedAddresses":{"lan":"10.1.10.12","wan":"10.1.10.12"},"Meta":{"instance_type":"t2.medium"}},
"Service":{"ID":"redis","Service":"redis","Tags":["primary"],"Address":"10.1.10.12",
"TaggedAddresses":{"lan":{"address":"10.1.10.12","port":8000},"wan":{"address":"198.18.1.2","port":80}},
"Meta":{"redis_version":"4.0"},"Port":8000,"Weights":{"Passing":10,"Warning":1},"Namespace":"default"},
"Checks":[{"Node":"foobar","CheckID":"service:redis","Name":"Service 'redis' check","Status":"passing","Notes":"","Output":"",
"ServiceID":"redis","ServiceName":"redis","ServiceTags":["primary"],"Namespace":"default"},
{"Node":"foobar","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Notes":"","Output":"",
"ServiceID":"","ServiceName":"","ServiceTags":[],"Namespace":"default"}]}]`;

describe("a source of Consul's catalog", () => {
  let server: TestConsulServer;
  let token: Result<string | undefined, string>;

  beforeEach(async () => {
    server = await TestConsulServer.start();
    token = ok(undefined);
  });
  afterEach(() => server.close());

  const sourceOf = (more: Partial<ConsulSpec> = {}): ConsulSource =>
    new ConsulSource(
      { url: server.url, service: "redis", stale: false, ...more },
      { clock: new PatientClock({ graceTimes: 10 }), token: () => token },
    );
  const ask = async (source: ConsulSource): Promise<ImportAnswer> => {
    const answer = await source.ask(never);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.value;
  };
  const refused = async (source: ConsulSource, message: RegExp): Promise<void> => {
    const answer = await source.ask(never);
    assert.ok(!answer.ok);
    assert.match(answer.error, message);
  };

  it("reads the documentation's own sample", async () => {
    server.override = { status: 200, headers: { "X-Consul-Index": "7" }, body: SAMPLE };
    const { instances, note } = await ask(sourceOf());
    assert.deepEqual(instances, [
      { host: "10.1.10.12", port: 8000, priority: 0, weight: 10, labels: { redis_version: "4.0" } },
    ]);
    assert.equal(note, "");
  });

  it("asks for instances that pass, with datacenter, filter and token", async () => {
    server.token = "s3cret";
    token = ok("s3cret");
    await ask(sourceOf({ datacenter: "dc2", filter: '"v2" in Service.Tags', stale: true }));
    const [first] = server.asked;
    assert.equal(first?.path, "/v1/health/service/redis");
    assert.equal(first.token, "s3cret");
    assert.deepEqual(first.query, { passing: "true", dc: "dc2", filter: '"v2" in Service.Tags', stale: "" });
  });

  it("takes weight, labels and place, and the node's address where the service has none", async () => {
    server.set("redis", [
      { ...one, meta: { version: "v2" }, weight: 3, zone: "eu-1" },
      { ...one, nodeAddress: "10.1.10.13", address: "redis.internal", port: 1 },
      { ...one, nodeAddress: "10.1.10.14", status: "critical" },
    ]);
    const { instances } = await ask(sourceOf());
    assert.deepEqual(instances.map(instanceId), ["10.1.10.12:8000", "redis.internal:1"]);
    assert.deepEqual(instances[0]?.labels, {
      version: "v2",
      "topology.kubernetes.io/region": "eu",
      "topology.kubernetes.io/zone": "eu-1",
    });
    assert.equal(instances[0]?.weight, 3);
  });

  it("waits for a change by the index of the last answer", async () => {
    server.set("redis", [one]);
    const source = sourceOf();
    await ask(source);
    const waiting = ask(source);
    while (server.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(server.asked[1]?.query, { passing: "true", index: String(server.index), wait: "60s" });
    server.set("redis", []);
    assert.deepEqual((await waiting).instances, []);
  });

  it("begins anew when the index goes backwards, and never asks without blocking for an index of 0", async () => {
    const indexOf = (at: number): string | undefined => server.asked[at]?.query["index"];
    const answer = (index: string): void => {
      server.override = { status: 200, headers: { "X-Consul-Index": index }, body: "[]" };
    };
    const source = sourceOf();
    for (const index of ["50", "20", "20", "0", "0"]) {
      answer(index);
      await ask(source);
    }
    await ask(source);
    assert.deepEqual([0, 1, 2, 3, 4, 5].map(indexOf), [undefined, "50", undefined, "20", undefined, "1"]);
  });

  it("asks for the whole state after a failure", async () => {
    const source = sourceOf();
    await ask(source);
    server.override = { status: 500, body: "No cluster leader" };
    await refused(source, /answers 500: it may have no leader$/);
    server.override = undefined;
    await ask(source);
    assert.equal(server.asked[2]?.query["index"], undefined);
  });

  it("does not believe who knows no leader, is too far behind, or may not see all", async () => {
    const cases: readonly [Record<string, string>, boolean, RegExp][] = [
      [{ "X-Consul-KnownLeader": "false" }, false, /knows no leader/],
      [{ "X-Consul-LastContact": "60001" }, true, /more than 60 s/],
      [{ "X-Consul-Results-Filtered-By-ACLs": "true" }, false, /may not see all/],
    ];
    for (const [headers, stale, message] of cases) {
      server.headers = headers;
      await refused(sourceOf({ stale }), message);
    }
  });

  it("tells why it may not ask, and shows neither the token nor what came back", async () => {
    server.token = "right";
    token = ok("wr0ng");
    const answer = await sourceOf().ask(never);
    assert.ok(!answer.ok);
    assert.match(answer.error, /answers 403: the token is not good for it$/);
    assert.doesNotMatch(answer.error, /wr0ng|lacks/);
    token = err("the Secret ops/consul has no token");
    await refused(sourceOf(), /^the Secret ops\/consul has no token$/);
    assert.equal(server.asked.length, 1, "without its token it does not ask");
  });

  for (const [what, body, message] of [
    ["no JSON", "<html>", /no JSON/],
    ["no list", "{}", /no list of instances/],
    ["too much", `"${"x".repeat(9 * 1024 * 1024)}"`, /longer than 8388608 bytes/],
  ] as const) {
    it(`refuses an answer that is ${what}`, async () => {
      server.override = { status: 200, body };
      await refused(sourceOf(), message);
    });
  }

  it("leaves out entries that are no instances, and says how many", async () => {
    const entry = (service: object): object => ({ Node: { Address: "10.0.0.1" }, Service: service });
    server.override = {
      status: 200,
      body: JSON.stringify([
        null,
        {},
        entry({ Port: 0 }),
        entry({ Port: "80" }),
        entry({ Port: 80, Address: "a b" }),
        entry({ Port: 80, Address: "x:1/../" }),
        entry({ Port: 80, Weights: { Passing: -1 }, Meta: { a: 1, b: "2" } }),
      ]),
    };
    const { instances, note } = await ask(sourceOf());
    assert.deepEqual(instances, [{ host: "10.0.0.1", port: 80, priority: 0, weight: 1, labels: { b: "2" } }]);
    assert.match(note, /^6 entries are left out/);
  });

  it("takes a thousand instances at most, always the same, and says so", async () => {
    const many = Array.from({ length: 1_200 }, (_, at) => ({ ...one, port: at + 1 }));
    server.set("redis", many);
    const { instances, note } = await ask(sourceOf());
    assert.equal(instances.length, 1_000);
    assert.match(note, /^200 more instances are left out/);
    server.set("redis", many.toReversed());
    assert.deepEqual((await ask(sourceOf())).instances, instances);
  });

  it("keeps what is stored small: of too many labels those of version and place", async () => {
    const meta = {
      version: "v1",
      ...Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`k${at}`, "x".repeat(500)])),
    };
    server.set(
      "redis",
      Array.from({ length: 40 }, (_, at) => ({ ...one, port: at + 1, meta, zone: "z" })),
    );
    const { instances, note } = await ask(sourceOf());
    assert.equal(instances.length, 40);
    assert.deepEqual(Object.keys(instances[0]?.labels ?? {}).length, 3);
    assert.match(note, /^labels but those of version and place are left out/);
  });

  it("speaks TLS with authorities of its own, and with nobody else", async () => {
    const authority = await TestAuthority.create();
    const leaf = await authority.issue("spiffe://test.mesh/consul", { dnsNames: ["localhost"] });
    await server.close();
    server = await TestConsulServer.start({ cert: leaf.chainPem, key: leaf.keyPem });
    server.set("redis", [one]);
    assert.equal((await ask(sourceOf({ caCertificates: authority.bundlePem }))).instances.length, 1);
    await refused(sourceOf(), /certificate/);
    const other = await TestAuthority.create();
    await refused(sourceOf({ caCertificates: other.bundlePem }), /certificate/);
    assert.equal(server.asked.length, 1);
  });

  it("is given up when its source goes", async () => {
    const source = sourceOf();
    await ask(source);
    const gone = new AbortController();
    const waiting = source.ask(gone.signal);
    while (server.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    gone.abort();
    assert.equal((await waiting).ok, false);
  });
});
