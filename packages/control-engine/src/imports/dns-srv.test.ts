// Instances from SRV records, asked of a real server over UDP and TCP.

import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { after, before, beforeEach, describe, it } from "node:test";

import { PatientClock, StoppedClock } from "@ripstop/testkit";
import { TestDnsServer } from "@ripstop/testkit/registries";
import type { Answer } from "dns-packet";

import { queryDns } from "../dns/dns-query.ts";
import { DnsSrvSource } from "./dns-srv.ts";
import { instanceId, type ImportAnswer } from "./import-source.ts";

const NAME = "_http._tcp.orders.test";
const never = new AbortController().signal;

const srv = (target: string, port: number, more: { priority?: number; weight?: number; ttl?: number } = {}): Answer => {
  const { priority = 0, weight = 0, ttl = 30 } = more;
  return { type: "SRV", name: NAME, ttl, data: { target, port, priority, weight } };
};
const a = (name: string, data: string, ttl = 60): Answer => ({ type: "A", name, ttl, data });
const aaaa = (name: string, data: string, ttl = 60): Answer => ({ type: "AAAA", name, ttl, data });

describe("a source of SRV records", () => {
  let server: TestDnsServer;
  let source: DnsSrvSource;

  before(async () => {
    server = await TestDnsServer.start();
  });
  after(() => server.close());
  beforeEach(() => {
    server.mood = "answer";
    server.sendsAdditionals = true;
    server.failingNames = [];
    server.asked.length = 0;
    source = new DnsSrvSource({ name: NAME, nameServers: [server.address] }, new PatientClock({ graceTimes: 10 }));
  });

  const ask = async (): Promise<ImportAnswer> => {
    const answer = await source.ask(never);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.value;
  };
  const ids = (answer: ImportAnswer): string[] => answer.instances.map(instanceId);

  it("asks a server that other resolvers understand too", async () => {
    server.records = [srv("a.test", 8080, { priority: 3, weight: 7 }), a("a.test", "10.0.0.1")];
    const resolver = new Resolver({ timeout: 30_000, tries: 4 });
    resolver.setServers([server.address]);
    const found = await resolver.resolveSrv(NAME);
    assert.deepEqual(
      found.map(({ name, port, priority, weight }) => ({ name, port, priority, weight })),
      [{ name: "a.test", port: 8080, priority: 3, weight: 7 }],
    );
    assert.deepEqual(await resolver.resolve4("a.test", { ttl: true }), [{ address: "10.0.0.1", ttl: 60 }]);
  });

  it("takes every address of every target, with port, priority and weight", async () => {
    server.records = [
      srv("a.test", 8080, { priority: 1, weight: 20 }),
      srv("b.test", 9090, { priority: 2, weight: 10 }),
      a("a.test", "10.0.0.1"),
      aaaa("a.test", "fd00::1"),
      a("b.test", "10.0.0.2"),
    ];
    const answer = await ask();
    assert.deepEqual(ids(answer), ["10.0.0.1:8080", "10.0.0.2:9090", "[fd00::1]:8080"]);
    assert.deepEqual(
      answer.instances.map(({ priority, weight }) => [priority, weight]),
      [
        [1, 20],
        [2, 10],
        [1, 20],
      ],
    );
    assert.deepEqual(server.asked, [`UDP SRV ${NAME}`], "the addresses came along");
  });

  it("asks for the addresses when the server does not send them along, through aliases", async () => {
    server.sendsAdditionals = false;
    server.records = [
      srv("A.test", 80),
      { type: "CNAME", name: "a.test", ttl: 20, data: "c.test" },
      a("c.test", "10.0.0.3", 40),
    ];
    const answer = await ask();
    assert.deepEqual(ids(answer), ["10.0.0.3:80"]);
    assert.ok(server.asked.includes("UDP A a.test") && server.asked.includes("UDP AAAA a.test"));
    assert.equal(answer.againMs, 30_000, "the shortest time to live is that of the SRV record");
  });

  it("asks again by the shortest time to live, within 5 s to 5 minutes", async () => {
    const after = async (ttl: number, addressTtl: number): Promise<number> => {
      server.records = [srv("a.test", 80, { ttl }), a("a.test", "10.0.0.1", addressTtl)];
      return (await ask()).againMs;
    };
    assert.equal(await after(60, 20), 20_000);
    assert.equal(await after(0, 20), 5_000);
    assert.equal(await after(86_400, 86_400), 300_000);
    server.records = [];
    assert.equal((await ask()).againMs, 7_000, "of a name that is not there: the minimum of its zone");
  });

  it("gives targets of weight 0 very little beside others, and all alike among themselves", async () => {
    const shares = async (...weights: number[]): Promise<number[]> => {
      server.records = weights.flatMap((weight, at) => [
        srv(`t${at}.test`, 80, { weight }),
        a(`t${at}.test`, `10.0.0.${at}`),
      ]);
      return (await ask()).instances.map(({ weight }) => weight);
    };
    assert.deepEqual(await shares(1, 3), [1, 3]);
    assert.deepEqual(await shares(0, 0), [1, 1]);
    assert.deepEqual(await shares(0, 5), [1, 500]);
    assert.deepEqual(await shares(0, 65_535), [1, 1_000_000]);
  });

  it('knows of no instance when there is no record, or "." as the target', async () => {
    server.records = [srv(".", 0)];
    assert.deepEqual(ids(await ask()), []);
    server.records = [];
    assert.deepEqual(ids(await ask()), []);
  });

  it("reads a long answer over TCP", async () => {
    const many = Array.from({ length: 100 }, (_, at) => `instance-${at}.orders.test`);
    server.records = many.flatMap((name, at) => [srv(name, 80), a(name, `10.0.1.${at}`)]);
    assert.equal((await ask()).instances.length, 100);
    assert.deepEqual(server.asked, [`UDP SRV ${NAME}`, `TCP SRV ${NAME}`]);
    server.sendsAdditionals = false;
    assert.equal((await ask()).instances.length, 100);
  });

  it("says that it does not know when the server fails, and when nobody listens", async () => {
    server.mood = "servfail";
    const failed = await source.ask(never);
    assert.ok(!failed.ok);
    assert.match(
      failed.error,
      /SRV records of _http\._tcp\.orders\.test are not known: 127\.0\.0\.1: it answers SERVFAIL/,
    );
    const gone = await TestDnsServer.start();
    await gone.close();
    source = new DnsSrvSource({ name: NAME, nameServers: [gone.address] }, new PatientClock());
    assert.equal((await source.ask(never)).ok, false);
  });

  it("goes to the next server when one does not know", async () => {
    server.records = [srv("a.test", 80), a("a.test", "10.0.0.1")];
    const failing = await TestDnsServer.start();
    failing.mood = "servfail";
    const clock = new PatientClock({ graceTimes: 10 });
    source = new DnsSrvSource({ name: NAME, nameServers: [failing.address, server.address] }, clock);
    assert.deepEqual(ids(await ask()), ["10.0.0.1:80"]);
    assert.equal(failing.asked.length, 1);
    await failing.close();
  });

  it("believes nothing that does not answer its question", async () => {
    server.records = [srv("evil.test", 80), a("evil.test", "10.6.6.6")];
    server.mood = "nonsense";
    const clock = new StoppedClock();
    source = new DnsSrvSource({ name: NAME, nameServers: [server.address] }, clock);
    let isDone = false;
    const asking = source.ask(never).finally(() => (isDone = true));
    // It waits until its time is over, whatever comes: as often as it asks.
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.pending > 0 && server.asked.length > 0) clock.advance(1_000);
    }
    assert.equal((await asking).ok, false);
  });

  it("keeps the addresses of a target whose own question fails", async () => {
    server.sendsAdditionals = false;
    server.records = [srv("a.test", 80), a("a.test", "10.0.0.1")];
    assert.deepEqual(ids(await ask()), ["10.0.0.1:80"]);
    server.failingNames = ["a.test"];
    assert.deepEqual(ids(await ask()), ["10.0.0.1:80"]);
    const fresh = new DnsSrvSource({ name: NAME, nameServers: [server.address] }, new PatientClock({ graceTimes: 10 }));
    const answer = await fresh.ask(never);
    assert.ok(answer.ok && answer.value.note === "the addresses of a.test are not known");
    server.failingNames = [];
    server.records = [srv("a.test", 80)];
    assert.deepEqual(ids(await ask()), [], "an answer without addresses is an answer");
  });

  it("is given up when its source goes", async () => {
    server.mood = "silent";
    const gone = new AbortController();
    const asking = queryDns(
      { name: NAME, type: "SRV" },
      { clock: new StoppedClock(), servers: [{ host: "127.0.0.1", port: server.port }], signal: gone.signal },
    );
    gone.abort();
    assert.deepEqual(await asking, { ok: false, error: "the question was given up" });
  });
});
