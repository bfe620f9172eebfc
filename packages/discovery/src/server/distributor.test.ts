// What goes to whom and when, without sockets: a fake proxy that answers when the test says so.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { endpointsType, policyType, type Policy, type ResourceType } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { Changes, FakeMetrics, FakeSource } from "../stream-fixture.suite.ts";
import { stateChecksum } from "../state-checksum.ts";
import { Distributor } from "./distributor.ts";
import { FakeProxy, request } from "./fake-proxy.suite.ts";

function policy(text: string): Policy {
  return { name: "a", kind: "authorization", config: Buffer.from(text) };
}

describe("the distributor", () => {
  let clock: StoppedClock;
  let source: FakeSource;
  let metrics: FakeMetrics;
  let distributor: Distributor;
  beforeEach(() => {
    clock = new StoppedClock();
    source = new FakeSource();
    metrics = new FakeMetrics(new Changes());
    distributor = new Distributor({ source, clock, metrics });
  });

  it("finds by checksum an update that a proxy lost, and sends it again", () => {
    source.put(policyType, "a", policy("one"));
    source.put(policyType, "b", policy("one"));
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a", "b"]);
    clock.advance(5);
    proxy.answer();
    proxy.audit(policyType);
    clock.advance(5);
    assert.equal(proxy.responses.length, 1, "nothing is sent while both ends agree");
    const old = proxy.has.get(`${policyType.typeUrl} a`) ?? "";
    source.put(policyType, "a", policy("two"));
    clock.advance(5);
    proxy.answer();
    // The proxy answered, and yet has what it had before; and it lost another one wholly.
    proxy.has.set(`${policyType.typeUrl} a`, old);
    proxy.has.delete(`${policyType.typeUrl} b`);
    proxy.audit(policyType);
    proxy.has.clear();
    clock.advance(5);
    proxy.answer();
    for (const name of ["a", "b"])
      assert.equal(proxy.has.get(`${policyType.typeUrl} ${name}`), source.get(policyType.typeUrl, name)?.version);
    assert.equal(metrics.total("ripstop_config_mended_total"), 2);
    proxy.audit(policyType);
    clock.advance(5);
    assert.equal(proxy.responses.length, 3);
  });

  it("does not compare while something is under way", () => {
    source.put(policyType, "a", policy("one"));
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    proxy.audit(policyType);
    clock.advance(5);
    proxy.stream.onRequest(request(policyType, { stateChecksum: stateChecksum([]) }));
    clock.advance(5);
    assert.equal(proxy.responses.length, 1);
    assert.equal(metrics.total("ripstop_config_mended_total"), 0);
  });

  it("holds one response for a proxy that never answers, and tells how long it is behind", () => {
    const silent = new FakeProxy(distributor, "silent");
    const good = new FakeProxy(distributor, "good");
    for (const proxy of [silent, good]) proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    good.answer();
    for (let change = 0; change < 100; change++) {
      source.put(policyType, "a", policy(String(change)));
      clock.advance(5);
      good.answer();
    }
    assert.equal(silent.responses.length, 1);
    assert.equal(good.responses.length, 101);
    const pending = new Map(distributor.statuses().map(({ proxyId, pendingMs }) => [proxyId, pendingMs]));
    assert.deepEqual(
      pending,
      new Map([
        ["silent", 505],
        ["good", 0],
      ]),
    );
    silent.answer();
    clock.advance(5);
    assert.equal(silent.responses.length, 2, "the newest state, and no queue");
  });

  it("sends a burst of changes as one response with the newest state", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a", "b"]);
    clock.advance(5);
    proxy.answer();
    for (let index = 0; index < 100; index++)
      source.put(policyType, index % 2 === 0 ? "a" : "b", policy(String(index)));
    clock.advance(5);
    assert.equal(proxy.responses.length, 2);
    const texts = proxy.responses[1]!.resources.map(({ resource }) =>
      policyType.decode(resource!.value).config.toString(),
    );
    assert.deepEqual(texts.toSorted(), ["98", "99"]);
  });

  it("gives a slow proxy the newest state and no queue, and does not hold up others", () => {
    const slow = new FakeProxy(distributor, "slow");
    const quick = new FakeProxy(distributor, "quick");
    for (const proxy of [slow, quick]) proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    quick.answer();
    for (let index = 0; index < 50; index++) {
      source.put(policyType, "a", policy(String(index)));
      clock.advance(5);
      quick.answer();
    }
    assert.equal(slow.responses.length, 1);
    assert.equal(quick.responses.length, 51);
    slow.answer();
    clock.advance(5);
    assert.equal(slow.responses.length, 2);
    assert.equal(slow.has.get(`${policyType.typeUrl} a`), quick.has.get(`${policyType.typeUrl} a`));
  });

  it("looks at what a proxy has or wants when its turn comes, and at no more than 250 names a response", () => {
    const names = Array.from({ length: 600 }, (_, at) => `policy-${at}`);
    for (const name of names) source.put(policyType, name, policy(name));
    const known = source.get.bind(source);
    let looked = 0;
    source.get = (typeUrl, name) => {
      looked++;
      return known(typeUrl, name);
    };
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, names);
    assert.equal(looked, 0, "nothing is compiled while the request is read");
    for (const expected of [250, 250, 100]) {
      const before = proxy.responses.length;
      clock.advance(5);
      proxy.answer();
      const sent = proxy.responses.slice(before).map(({ resources }) => resources.length);
      assert.deepEqual(sent, [expected]);
    }
    const versions = Object.fromEntries(names.map((name) => [name, known(policyType.typeUrl, name)?.version ?? ""]));
    const back = new FakeProxy(distributor, "web");
    looked = 0;
    back.subscribe(policyType, names, versions);
    assert.equal(looked, 0, "nor when a proxy comes back");
    clock.advance(5);
    assert.equal(back.responses.length, 0, "it has everything");
    assert.equal(metrics.total("ripstop_config_resources_resumed_total"), 600);
    assert.equal(distributor.statuses()[0]?.synced, true);
  });

  it("sends changed endpoints to who is there while many that have just come are still being served", () => {
    const settled = new FakeProxy(distributor, "web");
    settled.subscribe(endpointsType, ["shop/orders"]);
    clock.advance(5);
    settled.answer();
    // Compiling for each of those that come takes 6 ms: two fill a slice.
    const known = source.get.bind(source);
    source.get = (typeUrl, name) => {
      if (typeUrl === policyType.typeUrl) clock.advance(6);
      return known(typeUrl, name);
    };
    source.put(policyType, "a", policy("1"));
    const newcomers = Array.from({ length: 50 }, (_, at) => new FakeProxy(distributor, `new-${at}`));
    for (const newcomer of newcomers) newcomer.subscribe(policyType, ["a"]);
    const served = (): number => newcomers.filter(({ responses }) => responses.length > 0).length;
    source.change(endpointsType, "shop/orders", { service: "shop/orders", endpoints: [] }, 0);
    let servedBefore = -1;
    const watch = clock.every(1, () => {
      if (settled.responses.length > 1 && servedBefore < 0) servedBefore = served();
    });
    clock.advance(1_000);
    watch.clear();
    assert.equal(served(), newcomers.length, "everybody is served in the end");
    assert.ok(servedBefore >= 0 && servedBefore < 5, `${servedBefore} were served before the change`);
  });

  it("does not call a revision live before what it led the proxy to has arrived", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "a", policy("names late"));
    clock.advance(5);
    proxy.subscribe(endpointsType, ["shop/late"]);
    proxy.answer();
    assert.deepEqual(distributor.live(revision).pending, ["web"]);
    clock.advance(0);
    proxy.answer();
    assert.equal(distributor.live(revision).live, 1);
  });

  it("does not let a revision wait for what a proxy asked for on its own", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "a", policy("1"));
    clock.advance(5);
    proxy.answer();
    proxy.subscribe(endpointsType, ["shop/other"]);
    assert.equal(distributor.live(revision).live, 1);
  });

  it("sends endpoints at once while a config response is unanswered", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    proxy.subscribe(endpointsType, ["shop/web"]);
    clock.advance(5);
    assert.deepEqual(
      proxy.responses.map(({ typeUrl }) => typeUrl),
      [endpointsType.typeUrl, policyType.typeUrl],
    );
    const first = proxy.unanswered.shift();
    assert.ok(first);
    proxy.stream.onRequest(request(endpointsType, { responseNonce: first.nonce }));
    source.put(policyType, "a", policy("waits"));
    source.put(endpointsType, "shop/web", { service: "shop/web", endpoints: [] });
    clock.advance(0);
    assert.equal(proxy.responses.at(-1)?.typeUrl, endpointsType.typeUrl);
    assert.equal(proxy.responses.length, 3);
  });

  it("sends nothing when a resource changed and changed back", () => {
    source.put(policyType, "a", policy("one"));
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const there = source.put(policyType, "a", policy("two"));
    const back = source.put(policyType, "a", policy("one"));
    clock.advance(5);
    assert.equal(proxy.responses.length, 1);
    assert.deepEqual(distributor.live(there).pending, []);
    assert.equal(distributor.live(back).live, 1);
  });

  it("splits a large first sync into responses that wait for each other's answer", () => {
    distributor = new Distributor({ source, clock, limits: { responseBytes: 10_000 } });
    const names = Array.from({ length: 50 }, (_, index) => `p${index}`);
    for (const name of names) source.put(policyType, name, policy("x".repeat(1000)));
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, names);
    let responses = 0;
    for (; proxy.has.size < names.length && responses < 50; responses++) {
      clock.advance(5);
      assert.equal(proxy.unanswered.length, 1);
      proxy.answer();
    }
    assert.equal(proxy.has.size, names.length);
    assert.ok(responses >= 5, `${responses} responses`);
  });

  it("refuses names beyond its limits", () => {
    distributor = new Distributor({ source, clock, limits: { namesPerRequest: 3, subscriptions: 5, nameLength: 10 } });
    const proxy = new FakeProxy(distributor, "web");
    assert.match(proxy.subscribe(policyType, ["a", "b", "c", "d"]) ?? "", /at most 3 names/);
    assert.match(proxy.subscribe(policyType, ["a".repeat(11)]) ?? "", /at most 10 characters/);
    assert.equal(proxy.subscribe(policyType, ["a", "b", "c"]), undefined);
    assert.match(proxy.subscribe(policyType, ["d", "e", "f"]) ?? "", /at most 5 subscriptions/);
    const types = Array.from({ length: 70 }, (_, index) => ({ ...policyType, typeUrl: `t${index}` }));
    assert.ok(types.some((type) => /types/.test(proxy.subscribe(type, []) ?? "")));
  });

  it("takes names that are JavaScript's own for names", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["__proto__", "constructor", "toString"]);
    clock.advance(5);
    assert.deepEqual(proxy.responses[0]?.removedResources, ["__proto__", "constructor", "toString"]);
  });

  it("ignores answers to anything but the last response", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    source.put(policyType, "a", policy("new"));
    proxy.stream.onRequest(request(policyType, { responseNonce: "77" }));
    clock.advance(5);
    assert.equal(proxy.responses.length, 1);
  });

  it("does not wait for a proxy that went away", async () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "a", policy("new"));
    assert.deepEqual(distributor.live(revision).pending, ["web"]);
    const waiting = distributor.waitLive(revision, 1000);
    proxy.close();
    assert.deepEqual((await waiting).pending, []);
    assert.equal(distributor.statuses().length, 0);
  });

  it("says who is missing when the wait is over", async () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "a", policy("new"));
    const waiting = distributor.waitLive(revision, 1000);
    clock.advance(1000);
    const status = await waiting;
    assert.deepEqual(status.pending, ["web"]);
    assert.equal(status.elapsedMs, 1000);
    assert.equal(clock.pending, 0);
  });

  it("counts a change of no revision for nobody's wait", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "b", policy("concerns nobody"));
    source.change(policyType, "a", policy("new"), 0);
    clock.advance(5);
    assert.equal(proxy.unanswered.length, 1);
    assert.equal(distributor.live(0).total, 0);
    assert.deepEqual(distributor.live(revision), {
      revision,
      total: 0,
      live: 0,
      pending: [],
      rejected: [],
      elapsedMs: 0,
    });
  });

  it("does not wait for a proxy that gave the resource up", () => {
    const proxy = new FakeProxy(distributor, "web");
    proxy.subscribe(policyType, ["a"]);
    clock.advance(5);
    proxy.answer();
    const revision = source.put(policyType, "a", policy("new"));
    assert.deepEqual(distributor.live(revision).pending, ["web"]);
    proxy.stream.onRequest(request(policyType, { resourceNamesUnsubscribe: ["a"] }));
    assert.deepEqual(distributor.live(revision).pending, []);
  });

  it("lets a newer stream of the same proxy replace the older", () => {
    const older = new FakeProxy(distributor, "web");
    older.subscribe(policyType, ["a"]);
    const newer = new FakeProxy(distributor, "web");
    newer.subscribe(policyType, ["a"]);
    source.put(policyType, "a", policy("new"));
    clock.advance(5);
    assert.equal(older.responses.length, 0);
    assert.equal(newer.responses.length, 1);
    older.close();
    assert.equal(distributor.isConnected("web"), true);
  });

  it("brings any proxy to the state of the source, whatever happens on the way, and sends nothing twice", () => {
    const names = ["a", "b", "c", "d"];
    const types: readonly ResourceType<unknown>[] = [policyType, endpointsType];
    const step = fc.oneof(
      fc.record({
        do: fc.constant("put" as const),
        name: fc.constantFrom(...names),
        text: fc.constantFrom("1", "2", "3"),
      }),
      fc.record({ do: fc.constant("remove" as const), name: fc.constantFrom(...names) }),
      fc.record({ do: fc.constantFrom("answer" as const, "refuse" as const, "tick" as const, "reconnect" as const) }),
      fc.record({ do: fc.constantFrom("subscribe" as const, "unsubscribe" as const), name: fc.constantFrom(...names) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const own = new StoppedClock();
        const model = new FakeSource();
        const server = new Distributor({ source: model, clock: own });
        let proxy = new FakeProxy(server, "web");
        const wanted = new Set<string>();
        for (const step of steps) {
          switch (step.do) {
            case "put":
              model.put(policyType, step.name, policy(step.text));
              model.put(endpointsType, step.name, { service: step.text, endpoints: [] });
              break;
            case "remove":
              for (const type of types) model.put(type, step.name, undefined);
              break;
            case "answer":
              proxy.answer();
              break;
            case "refuse":
              proxy.answer("no");
              break;
            case "tick":
              own.advance(5);
              break;
            case "subscribe":
              if (wanted.has(step.name)) break;
              wanted.add(step.name);
              for (const type of types) proxy.subscribe(type, [step.name]);
              break;
            case "unsubscribe":
              wanted.delete(step.name);
              for (const type of types) {
                proxy.stream.onRequest(request(type, { resourceNamesUnsubscribe: [step.name] }));
                proxy.has.delete(`${type.typeUrl} ${step.name}`);
              }
              break;
            case "reconnect": {
              const has = new Map(proxy.has);
              proxy.close();
              proxy = new FakeProxy(server, "web");
              for (const [key, version] of has) proxy.has.set(key, version);
              for (const type of types) {
                const versions = [...wanted].flatMap((name) => {
                  const version = has.get(`${type.typeUrl} ${name}`);
                  return version === undefined ? [] : [[name, version] as const];
                });
                proxy.subscribe(type, [...wanted], Object.fromEntries(versions));
              }
              break;
            }
          }
          // One response per type may be unanswered.
          const open = proxy.unanswered.map(({ typeUrl }) => typeUrl);
          assert.equal(new Set(open).size, open.length);
        }
        for (let round = 0; round < 5; round++) {
          own.advance(5);
          proxy.answer();
        }
        assert.equal(proxy.stream.isBehind, false);
        assert.equal(proxy.stream.oldestUnacknowledged, Infinity);
        assert.deepEqual(server.live(model.revision).pending, []);
        for (const type of types) {
          for (const name of wanted) {
            assert.equal(proxy.has.get(`${type.typeUrl} ${name}`), model.get(type.typeUrl, name)?.version);
          }
        }
        assert.equal(
          proxy.has.size,
          types.length * [...wanted].filter((name) => model.get(policyType.typeUrl, name)).length,
        );
        // At rest, nothing more is sent.
        const atRest = proxy.responses.length;
        own.advance(1000);
        assert.equal(proxy.responses.length, atRest);
        proxy.close();
      }),
      { numRuns: 500 },
    );
  });
});
