// The etcd store against a real etcd: the shared suite, several replicas, large revisions, crashes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";

import { systemClock, type Clock } from "@ripstop/core";

import { etcdOfAnotherMesh, etcdUnreachable } from "../../errors.ts";
import { pet } from "../pet.fixture.ts";
import { storeSuite } from "../store.suite.ts";
import type { Revision, Store } from "../store.ts";
import { EtcdClient } from "./etcd-client.ts";
import { EtcdProcess, needsEtcd } from "./etcd-process.suite.ts";
import { openEtcdStore } from "./etcd-store.ts";

const skip = needsEtcd();

const FRAME_HEADER_BYTES = 9;
const RST_STREAM = 3;
const GOAWAY = 7;

/** What of HTTP/2 frames comes before the first one that gives something up. */
function beforeGivenUp(frames: Buffer): Buffer {
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= frames.length) {
    const type = frames[at + 3];
    if (type === RST_STREAM || type === GOAWAY) break;
    at += FRAME_HEADER_BYTES + frames.readUIntBE(at, 3);
  }
  return frames.subarray(0, at);
}

/**
 * Carries bytes to etcd, and can hold them on the way there. What was held is delivered up to where it was given up: the
 * rest is lost, for with it etcd may cancel what came before, whichever its threads see first.
 */
class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held: Map<Socket, Buffer[]> | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(to: URL): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server);
    server.on("connection", (client) => relay.#carry(client, connect(Number(to.port), to.hostname)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return relay;
  }

  get endpoint(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  hold(): void {
    this.#held ??= new Map();
  }

  release(): void {
    const held = this.#held ?? new Map<Socket, Buffer[]>();
    this.#held = undefined;
    for (const [server, chunks] of held) server.write(beforeGivenUp(Buffer.concat(chunks)));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #carry(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    // Its connection does not end while something of it may be held.
    let wasHeld = false;
    client.on("data", (chunk) => {
      if (this.#held !== undefined) {
        wasHeld = true;
        this.#held.set(server, [...(this.#held.get(server) ?? []), chunk]);
      } else if (!wasHeld) server.write(chunk);
    });
    client.on("close", () => {
      if (!wasHeld) server.destroy();
    });
    server.on("data", (chunk) => client.write(chunk));
    server.on("close", () => client.destroy());
  }
}

describe("etcd", { skip }, () => {
  let etcd: EtcdProcess;
  before(async () => void (etcd = await EtcdProcess.start()));
  after(() => etcd.close());

  const open = (prefix: string, keepRevisions?: number): Promise<Store> =>
    openEtcdStore({
      endpoints: [etcd.endpoint],
      prefix,
      clock: systemClock,
      homeId: "home",
      ...(keepRevisions === undefined ? {} : { keepRevisions }),
    });

  storeSuite("etcd", true, async () => {
    const prefix = `/${randomUUID()}/`;
    return { open: (keepRevisions) => open(prefix, keepRevisions), dispose: async () => {} };
  });

  /** Resolves when the store has a revision. */
  const reached = (store: Store, number: number): Promise<void> =>
    new Promise((resolve) => {
      const watching = store.watch(Math.min(store.revision, number - 1), (revision) => {
        if (revision.number >= number) resolve();
      });
      assert.ok(watching.ok);
    });

  const put = async (store: Store, name: string, legs: number, expect?: Record<string, string>): Promise<Revision> => {
    const done = await store.commit({
      author: "",
      reason: "",
      puts: [pet(name, legs)],
      deletes: [],
      ...(expect === undefined ? {} : { expect }),
    });
    assert.ok(done.ok, JSON.stringify(done));
    return done.value;
  };

  it("gives every replica every revision in the same order, whoever writes", async () => {
    const prefix = `/${randomUUID()}/`;
    const replicas = await Promise.all([open(prefix), open(prefix), open(prefix)]);
    const logs = replicas.map((store) => {
      const seen: string[] = [];
      assert.ok(store.watch(0, ({ number, changes }) => seen.push(`${number} ${JSON.stringify(changes)}`)).ok);
      return seen;
    });
    // All write at once; each commit is planned again until nobody else came first.
    await Promise.all(
      replicas.flatMap((store, replica) =>
        Array.from({ length: 10 }, (_, index) => put(store, `${replica}-${index}`, index)),
      ),
    );
    await Promise.all(replicas.map((store) => reached(store, 30)));
    for (const [index, store] of replicas.entries()) {
      assert.equal(logs[index]?.length, 30);
      assert.deepEqual(logs[index], logs[0]);
      assert.equal([...store.list("Pet")].length, 30);
    }
    await Promise.all(replicas.map((store) => store.close()));
  });

  it("lets one of two replicas win that expect the same version", async () => {
    const prefix = `/${randomUUID()}/`;
    const [left, right] = await Promise.all([open(prefix), open(prefix)]);
    await put(left, "tom", 4);
    await reached(right, 1);
    const both = await Promise.all(
      [left, right].map((store, index) =>
        store.commit({
          author: "",
          reason: "",
          puts: [pet("tom", index)],
          deletes: [],
          expect: { "Pet/home/tom": "1" },
        }),
      ),
    );
    assert.equal(both.filter(({ ok }) => ok).length, 1);
    assert.equal(both.filter(({ ok }) => !ok).length, 1);
    await left.close();
    await right.close();
  });

  it("shares its tables", async () => {
    const prefix = `/${randomUUID()}/`;
    const [left, right] = await Promise.all([open(prefix), open(prefix)]);
    await left.table<number>("workloads").put("shop/web", 1);
    // The watch brings what was written before a revision before that revision.
    await put(left, "tom", 4);
    await reached(right, 1);
    assert.equal(right.table<number>("workloads").get("shop/web"), 1);
    await right.table<number>("workloads").remove("shop/web");
    await put(right, "tom", 5);
    await reached(left, 2);
    assert.deepEqual([...left.table<number>("workloads").entries()], []);
    await left.close();
    await right.close();
  });

  it("holds a revision that is larger than etcd takes at once, and drops its pieces with it", async () => {
    const prefix = `/${randomUUID()}/`;
    let store = await open(prefix, 2);
    const large = Array.from({ length: 300 }, (_, index) => pet(`p${index}`, 1, { filler: "ü".repeat(10_000) }));
    const done = await store.commit({ author: "", reason: "", puts: large, deletes: [] });
    assert.ok(done.ok);
    await store.close();
    store = await open(prefix, 2);
    assert.equal([...store.list("Pet")].length, 300);
    assert.equal(store.get("Pet/home/p7")?.metadata.labels["filler"], "ü".repeat(10_000));
    for (let legs = 1; legs <= 6; legs++) await put(store, "tom", legs);
    await store.close();
    store = await open(prefix);
    assert.equal(store.revision, 7);
    assert.equal([...store.list("Pet")].length, 301);
    assert.equal(store.watch(0, () => {}).ok, false);
    const client = new EtcdClient({ endpoints: [etcd.endpoint], clock: systemClock });
    const range = { key: Buffer.from(`${prefix}chunk/`), rangeEnd: Buffer.from(`${prefix}chunk0`) };
    const left = await client.range({ ...range, limit: 0, revision: 0, keysOnly: true });
    assert.deepEqual(
      left.kvs.map(({ key }) => key.toString()),
      [],
    );
    client.close();
    await store.close();
  });

  it("keeps what was acknowledged over a crash of etcd, and goes on by itself", { timeout: 240_000 }, async () => {
    const own = await EtcdProcess.start();
    const options = { endpoints: [own.endpoint], clock: systemClock, homeId: "home" };
    const [writer, reader] = await Promise.all([openEtcdStore(options), openEtcdStore(options)]);
    await put(writer, "tom", 1);
    await reached(reader, 1);
    await own.kill();
    assert.equal(reader.get("Pet/home/tom")?.metadata.name, "tom");
    // The commit is asked for while etcd is away, and is done once it is back.
    const waiting = put(writer, "jerry", 2);
    await own.start();
    assert.equal((await waiting).number, 2);
    await put(writer, "butch", 3);
    await reached(reader, 3);
    assert.deepEqual(
      [...reader.list("Pet")].map(({ metadata }) => metadata.name),
      ["butch", "jerry", "tom"],
    );
    await writer.close();
    await reader.close();
    await own.close();
  });

  it("makes a write once, though the network delivers it after it was given up", { timeout: 240_000 }, async () => {
    const prefix = `/${randomUUID()}/`;
    const relay = await Relay.start(new URL(etcd.endpoint));
    let onSleep: (() => Promise<void>) | undefined;
    // Asked for at the beginning of a commit, and before the sleep between an attempt that has failed and the next one.
    let timesAsked = 0;
    const clock: Clock = {
      nowMs: () => systemClock.nowMs(),
      monotonicMs: () => {
        timesAsked++;
        return systemClock.monotonicMs();
      },
      every: (periodMs, run) => systemClock.every(periodMs, run),
      after: (delayMs, run) => {
        const before = timesAsked < 2 ? undefined : onSleep;
        if (before !== undefined) onSleep = undefined;
        if (before === undefined) return systemClock.after(delayMs, run);
        void before().then(run);
        return { clear: () => undefined };
      },
    };
    const store = await openEtcdStore({ endpoints: [relay.endpoint, etcd.endpoint], prefix, clock, homeId: "home" });
    const witness = await open(prefix);
    await put(store, "tom", 1);
    relay.hold();
    timesAsked = 0;
    onSleep = async () => {
      relay.release();
      await reached(witness, 2);
      await put(witness, "tom", 3);
    };
    const late = await put(store, "tom", 2);
    assert.equal(late.number, 2);
    await reached(store, 3);
    assert.equal(store.revision, 3, "the write was made a second time");
    assert.deepEqual(store.get("Pet/home/tom")?.spec, { legs: 3 });
    await Promise.all([store.close(), witness.close()]);
    relay.close();
  });

  it("belongs to the first mesh home that opens it", async () => {
    const options = { endpoints: [etcd.endpoint], prefix: `/${randomUUID()}/`, clock: systemClock };
    const store = await openEtcdStore({ ...options, homeId: "one" });
    await assert.rejects(openEtcdStore({ ...options, homeId: "two" }), { kind: etcdOfAnotherMesh });
    await store.close();
  });

  it("says so when nothing answers", async () => {
    await assert.rejects(openEtcdStore({ endpoints: ["http://127.0.0.1:1"], clock: systemClock, homeId: "home" }), {
      kind: etcdUnreachable,
    });
  });
});
