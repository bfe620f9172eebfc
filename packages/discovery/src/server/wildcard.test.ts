// Subscriptions to `*`: what there is of a type, as it comes and goes (xDS protocol, "Wildcard subscriptions").

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { endpointsType, policyType, type Policy } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { Changes, FakeMetrics, FakeSource } from "../stream-fixture.suite.ts";
import { stateChecksum } from "../state-checksum.ts";
import { Distributor } from "./distributor.ts";
import { FakeProxy, request } from "./fake-proxy.suite.ts";

const policy = (text: string): Policy => ({ name: "a", kind: "authorization", config: Buffer.from(text) });

describe("a subscription to everything", () => {
  let clock: StoppedClock;
  let source: FakeSource;
  let distributor: Distributor;
  let overLimit: string[];
  let listed: number;
  beforeEach(() => {
    clock = new StoppedClock();
    source = new FakeSource();
    overLimit = [];
    listed = 0;
    distributor = new Distributor({
      source,
      clock,
      metrics: new FakeMetrics(new Changes()),
      limits: { subscriptions: 5 },
      onOverLimit: (_proxyId, problem) => overLimit.push(problem),
      onListed: (_proxyId, names) => (listed += names),
    });
    for (const name of ["a", "b"]) source.put(policyType, name, policy(name));
    source.setList(policyType, ["a", "b", "missing"]);
  });

  const open = (): FakeProxy => new FakeProxy(distributor, "web");
  const names = (proxy: FakeProxy): readonly string[] => [...proxy.has.keys()].map((key) => key.split(" ")[1] ?? "");
  const unsubscribe = (proxy: FakeProxy, name: string): void =>
    void proxy.stream.onRequest(request(policyType, { resourceNamesUnsubscribe: [name] }));

  function settle(proxy: FakeProxy): void {
    for (let round = 0; round < 3; round++) {
      clock.advance(5);
      proxy.answer();
    }
  }

  it("is sent what exists, in one response, and nothing about what does not", () => {
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    settle(proxy);
    assert.deepEqual(names(proxy), ["a", "b"]);
    assert.equal(proxy.responses.length, 1);
    assert.deepEqual(proxy.responses[0]?.removedResources, []);
  });

  it("hears of what comes into the list and what goes from it, and the revision is live then", () => {
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    settle(proxy);
    source.put(policyType, "c", policy("c"));
    const revision = source.setList(policyType, ["b", "c"]);
    assert.deepEqual(distributor.live(revision).pending, ["web"]);
    settle(proxy);
    assert.deepEqual(names(proxy), ["b", "c"]);
    assert.deepEqual(distributor.live(revision), {
      revision,
      total: 1,
      live: 1,
      pending: [],
      rejected: [],
      elapsedMs: 5,
    });
    // What is not listed any more is not followed any more.
    const sent = proxy.responses.length;
    source.put(policyType, "a", policy("another"));
    settle(proxy);
    assert.equal(proxy.responses.length, sent);
  });

  it("hears of a listed name that begins to exist, and of changes", () => {
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    settle(proxy);
    source.put(policyType, "missing", policy("here"));
    source.put(policyType, "a", policy("changed"));
    settle(proxy);
    assert.deepEqual(names(proxy), ["a", "b", "missing"]);
    assert.equal(proxy.has.get(`${policyType.typeUrl} a`), source.get(policyType.typeUrl, "a")?.version);
  });

  it("is answered when there is nothing", () => {
    source.setList(policyType, []);
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    settle(proxy);
    assert.equal(proxy.responses.length, 1);
    assert.deepEqual(proxy.responses[0]?.resources, []);
    assert.equal(proxy.stream.isBehind, false);
  });

  it("is what a first request without a name asks for, and no later one", () => {
    const proxy = open();
    proxy.stream.onRequest(request(policyType));
    settle(proxy);
    assert.deepEqual(names(proxy), ["a", "b"]);
    const other = new FakeProxy(distributor, "other");
    other.subscribe(policyType, ["a"]);
    other.stream.onRequest(request(policyType));
    settle(other);
    assert.deepEqual(names(other), ["a"]);
  });

  it("leaves what was asked for by name when it is given up", () => {
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    settle(proxy);
    proxy.has.delete(`${policyType.typeUrl} a`);
    proxy.subscribe(policyType, ["a"]);
    settle(proxy);
    unsubscribe(proxy, "*");
    assert.equal(proxy.stream.subscriptions, 1);
    for (const name of ["a", "b"]) source.put(policyType, name, policy("new"));
    const sent = proxy.responses.length;
    settle(proxy);
    assert.deepEqual(
      proxy.responses.slice(sent).flatMap(({ resources }) => resources.map(({ name }) => name)),
      ["a"],
    );
  });

  it("says again how a name stands that was given up while everything is subscribed", () => {
    source.put(policyType, "unlisted", policy("u"));
    const proxy = open();
    proxy.subscribe(policyType, ["*", "a", "unlisted"]);
    settle(proxy);
    for (const name of ["a", "unlisted"]) {
      proxy.has.delete(`${policyType.typeUrl} ${name}`);
      unsubscribe(proxy, name);
    }
    settle(proxy);
    assert.deepEqual(names(proxy).toSorted(), ["a", "b"]);
    assert.deepEqual(proxy.responses.at(-1)?.removedResources, ["unlisted"]);
    assert.equal(proxy.stream.subscriptions, 3);
  });

  it("is a name of nothing where a type has no list", () => {
    const proxy = open();
    proxy.subscribe(endpointsType, ["*"]);
    settle(proxy);
    assert.deepEqual(proxy.responses[0]?.removedResources, ["*"]);
  });

  it("resumes: only what differs is sent, and what went meanwhile is removed", () => {
    const proxy = open();
    const version = source.get(policyType.typeUrl, "a")?.version ?? "";
    proxy.subscribe(policyType, ["*"], { a: version, gone: "1" });
    proxy.has.set(`${policyType.typeUrl} a`, version);
    settle(proxy);
    const [response] = proxy.responses;
    assert.deepEqual(
      response?.resources.map(({ name }) => name),
      ["b"],
    );
    assert.deepEqual(response?.removedResources, ["gone"]);
    assert.equal(proxy.responses.length, 1);
    assert.equal(proxy.stream.subscriptions, 3);
  });

  it("ends the stream when there is more than a stream may have, at once or later, and is paid for by its names", () => {
    const proxy = open();
    assert.equal(proxy.subscribe(policyType, ["*"]), undefined);
    assert.equal(listed, 3);
    assert.deepEqual(overLimit, []);
    source.setList(policyType, ["1", "2", "3", "4", "5", "6"]);
    assert.match(overLimit[0] ?? "", /at most 5 subscriptions/);
    assert.match(open().subscribe(policyType, ["*"]) ?? "", /at most 5 subscriptions/);
  });

  it("keeps nothing of a stream that has ended", () => {
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    proxy.close();
    source.setList(policyType, ["1", "2", "3", "4", "5", "6"]);
    source.put(policyType, "a", policy("new"));
    clock.advance(5);
    assert.deepEqual(overLimit, []);
    assert.equal(proxy.responses.length, 0);
  });

  it("keeps no revision from being live when it is given up before it was answered", () => {
    source.setList(policyType, []);
    const proxy = open();
    proxy.subscribe(policyType, ["*"]);
    const revision = source.setList(policyType, []);
    unsubscribe(proxy, "*");
    settle(proxy);
    assert.deepEqual(distributor.live(revision).pending, []);
  });

  it("gives exactly what is listed or named, in any order of events, and both ends agree by checksum", () => {
    const name = fc.constantFrom("a", "b", "c", "d");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("put" as const), name, text: fc.constantFrom("1", "2", undefined) }),
      fc.record({ kind: fc.constant("list" as const), names: fc.uniqueArray(name) }),
      fc.record({ kind: fc.constantFrom("subscribe" as const, "unsubscribe" as const), name }),
      fc.record({ kind: fc.constantFrom("all" as const, "none" as const) }),
      fc.record({ kind: fc.constantFrom("tick" as const, "answer" as const, "refuse" as const, "reconnect" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const own = new StoppedClock();
        const model = new FakeSource();
        model.setList(policyType, ["a"]);
        const server = new Distributor({ source: model, clock: own, limits: { namesPerResponse: 2 } });
        const { typeUrl } = policyType;
        const keyOf = (one: string): string => `${typeUrl} ${one}`;
        const named = new Set<string>();
        let isAll = false;
        let proxy = new FakeProxy(server, "web");
        const forget = (): void => {
          if (!isAll) for (const one of names(proxy)) if (!named.has(one)) proxy.has.delete(keyOf(one));
        };
        for (const one of steps) {
          switch (one.kind) {
            case "put":
              model.put(policyType, one.name, one.text === undefined ? undefined : policy(one.text));
              break;
            case "list":
              model.setList(policyType, one.names);
              break;
            case "subscribe":
              named.add(one.name);
              // Asking by name for what is here already asks for it again.
              proxy.has.delete(keyOf(one.name));
              proxy.subscribe(policyType, [one.name]);
              break;
            case "unsubscribe":
              if (!named.delete(one.name)) break;
              proxy.has.delete(keyOf(one.name));
              proxy.stream.onRequest(request(policyType, { resourceNamesUnsubscribe: [one.name] }));
              break;
            case "all":
              if (isAll) break;
              isAll = true;
              proxy.subscribe(policyType, ["*"]);
              break;
            case "none":
              if (!isAll) break;
              isAll = false;
              forget();
              proxy.stream.onRequest(request(policyType, { resourceNamesUnsubscribe: ["*"] }));
              break;
            case "tick":
              own.advance(5);
              break;
            case "answer":
            case "refuse":
              proxy.answer(one.kind === "refuse" ? "no" : undefined);
              break;
            case "reconnect": {
              const { has } = proxy;
              proxy.close();
              proxy = new FakeProxy(server, "web");
              for (const [key, version] of has) proxy.has.set(key, version);
              const versions = (wanted: readonly string[]): Record<string, string> =>
                Object.fromEntries(wanted.flatMap((w) => (has.has(keyOf(w)) ? [[w, has.get(keyOf(w)) ?? ""]] : [])));
              if (named.size > 0) proxy.subscribe(policyType, [...named], versions([...named]));
              if (isAll) proxy.subscribe(policyType, ["*"], versions(names(proxy).filter((w) => !named.has(w))));
              break;
            }
          }
        }
        for (let round = 0; round < 8; round++) {
          own.advance(5);
          proxy.answer();
        }
        const listedNow = model.list(typeUrl)?.names ?? new Set<string>();
        const expected = ["a", "b", "c", "d"].filter(
          (one) => model.get(typeUrl, one) && (named.has(one) || (isAll && listedNow.has(one))),
        );
        assert.deepEqual(names(proxy).toSorted(), expected);
        for (const one of expected) assert.equal(proxy.has.get(keyOf(one)), model.get(typeUrl, one)?.version);
        assert.equal(proxy.stream.isBehind, false);
        assert.deepEqual(server.live(model.revision).pending, []);
        const wanted = new Set([...named, ...(isAll ? listedNow : [])]);
        assert.equal(proxy.stream.subscriptions, wanted.size);
        // Both ends agree: what is said of the state leads to nothing.
        const atRest = proxy.responses.length;
        const absent = [...named].filter((one) => !model.get(typeUrl, one)).map((one) => [one, ""] as const);
        const state = [...expected.map((one) => [one, proxy.has.get(keyOf(one)) ?? ""] as const), ...absent];
        proxy.stream.onRequest(request(policyType, { stateChecksum: stateChecksum(state) }));
        own.advance(1000);
        assert.equal(proxy.responses.length, atRest);
        proxy.close();
      }),
      { numRuns: 1000 },
    );
  });
});
