// What the client says to a server, request by request: a server written by hand in the test, without TLS.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";

import { discovery, policyType, serviceType, type Policy, type ResourceType } from "@ripstop/model";

import { Changes, FakeMetrics, View } from "../stream-fixture.suite.ts";
import { ConfigStream } from "./config-stream.ts";
import type { ControlSession } from "./control-session.ts";
import { plainSession } from "./control-session.suite.ts";

describe("the client's config stream", () => {
  let changes: Changes;
  let server: Http2Server;
  let session: ControlSession;
  let serverStream: ServerHttp2Stream | undefined;
  let requests: discovery.DeltaDiscoveryRequest[];
  let broken: string[];
  let config: ConfigStream;

  beforeEach(async () => {
    changes = new Changes();
    requests = [];
    broken = [];
    serverStream = undefined;
    server = createServer();
    server.on("stream", (stream) => {
      serverStream = stream;
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      let rest = Buffer.alloc(0);
      stream.on("data", (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
          const end = 5 + rest.readUInt32BE(1);
          requests.push(discovery.DeltaDiscoveryRequest.decode(rest.subarray(5, end)));
          rest = rest.subarray(end);
        }
        changes.notify();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    session = await plainSession(address.port);
    config = new ConfigStream({
      proxyId: "shop/web-1",
      cached: new Map(),
      onAlive: () => undefined,
      onBroken: (reason) => {
        broken.push(reason);
        changes.notify();
      },
      onChanged: () => undefined,
      metrics: new FakeMetrics(changes),
    });
  });
  afterEach(async () => {
    config.onSessionLost();
    session.destroy();
    server.close();
    await once(server, "close");
  });

  function sendBytes(message: Uint8Array): void {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    serverStream?.write(Buffer.concat([prefix, message]));
  }

  function send(typeUrl: string, nonce: string, parts: Partial<discovery.DeltaDiscoveryResponse> = {}): void {
    const empty = { systemVersionInfo: "", resources: [], removedResources: [] };
    sendBytes(discovery.DeltaDiscoveryResponse.encode({ ...empty, typeUrl, nonce, ...parts }).finish());
  }

  function resource<T>(type: ResourceType<T>, name: string, value: T): discovery.Resource {
    const bytes = Buffer.from(type.encode(value));
    return { name, version: bytes.toString("hex"), aliases: [], resource: { typeUrl: type.typeUrl, value: bytes } };
  }

  function policy(text: string): Policy {
    return { name: "p", kind: "authorization", config: Buffer.from(text) };
  }

  async function answerTo(nonce: string): Promise<discovery.DeltaDiscoveryRequest> {
    const isAnswer = (request: discovery.DeltaDiscoveryRequest): boolean => request.responseNonce === nonce;
    await changes.until(() => requests.some(isAnswer));
    return requests.find(isAnswer)!;
  }

  it("asks once a type for everything that was watched in one turn, and says who it is once", async () => {
    config.onSession(session);
    for (const name of ["a", "b", "c"]) config.watch(policyType, name, new View(changes));
    config.watch(serviceType, "shop/web", new View(changes));
    await changes.until(() => requests.length === 2);
    assert.deepEqual(
      requests.map((request) => request.resourceNamesSubscribe),
      [["a", "b", "c"], ["shop/web"]],
    );
    assert.deepEqual(
      requests.map(({ node }) => node?.id),
      ["shop/web-1", undefined],
    );
  });

  it("splits a long list of names, each part with the versions that belong to it", async () => {
    for (let index = 0; index < 2500; index++) config.watch(policyType, `p${index}`, new View(changes));
    config.onSession(session);
    await changes.until(() => requests.length === 3);
    assert.deepEqual(
      requests.map((request) => request.resourceNamesSubscribe.length),
      [1000, 1000, 500],
    );
    send(policyType.typeUrl, "1", { resources: [resource(policyType, "p2000", policy("x"))] });
    await answerTo("1");
    config.onSessionLost();
    requests.length = 0;
    config.onSession(session);
    await changes.until(() => requests.length === 3);
    assert.deepEqual(Object.keys(requests[0]!.initialResourceVersions), []);
    assert.deepEqual(Object.keys(requests[2]!.initialResourceVersions), ["p2000"]);
  });

  it("gives up what nobody watches any more, but not what is watched again in the same turn", async () => {
    config.onSession(session);
    const keep = config.watch(policyType, "keep", new View(changes));
    const drop = config.watch(policyType, "drop", new View(changes));
    await changes.until(() => requests.length === 1);
    keep.cancel();
    drop.cancel();
    drop.cancel();
    config.watch(policyType, "keep", new View(changes));
    await changes.until(() => requests.length === 2);
    assert.deepEqual(requests[1]?.resourceNamesUnsubscribe, ["drop"]);
    assert.deepEqual(requests[1]?.resourceNamesSubscribe, []);
  });

  it("acknowledges types and names that it does not know, and goes on", async () => {
    config.onSession(session);
    const view = new View<Policy>(changes);
    config.watch(policyType, "a", view);
    await changes.until(() => requests.length === 1);
    send("type.googleapis.com/future.Type", "1", { removedResources: ["x"] });
    send(policyType.typeUrl, "2", { resources: [resource(policyType, "unasked", policy("x"))] });
    send(policyType.typeUrl, "3", { resources: [resource(policyType, "a", policy("here"))] });
    for (const nonce of ["1", "2", "3"]) assert.equal((await answerTo(nonce)).errorDetail, undefined);
    assert.equal(view.current?.config.toString(), "here");
  });

  it("refuses malformed bytes of one resource and takes the others", async () => {
    config.onSession(session);
    const [bad, good] = [new View<Policy>(changes), new View<Policy>(changes)];
    config.watch(policyType, "bad", bad);
    config.watch(policyType, "good", good);
    await changes.until(() => requests.length === 1);
    const broken = {
      name: "bad",
      version: "1",
      aliases: [],
      resource: { typeUrl: "", value: Buffer.from([0x0a, 0xff]) },
    };
    send(policyType.typeUrl, "1", { resources: [broken, resource(policyType, "good", policy("x"))] });
    const answer = await answerTo("1");
    assert.equal(answer.errorDetail?.code, 3);
    assert.match(answer.errorDetail?.message ?? "", /^bad: /);
    assert.equal(bad.history.length, 0);
    assert.equal(good.history.length, 1);
  });

  it("does not tell a watcher twice of a version, or of an absence, that is sent twice", async () => {
    config.onSession(session);
    const [view, absent] = [new View<Policy>(changes), new View<Policy>(changes)];
    config.watch(policyType, "a", view);
    config.watch(policyType, "b", absent);
    await changes.until(() => requests.length === 1);
    for (const nonce of ["1", "2"]) {
      send(policyType.typeUrl, nonce, { resources: [resource(policyType, "a", policy("x"))], removedResources: ["b"] });
    }
    await answerTo("2");
    assert.equal(view.history.length, 1);
    assert.equal(absent.history.length, 1);
  });

  it("breaks off at a message that is no response", async () => {
    config.onSession(session);
    config.watch(policyType, "a", new View(changes));
    await changes.until(() => requests.length === 1);
    sendBytes(Buffer.from([0x0a, 0xff]));
    await changes.until(() => broken.length === 1);
    assert.equal(config.connected, false);
  });

  it("watches on inside a watcher, as config leads to more config", async () => {
    config.onSession(session);
    const inner = new View<Policy>(changes);
    config.watch(policyType, "a", {
      onResource: () => void config.watch(policyType, "b", inner),
      onRemoved: () => undefined,
    });
    await changes.until(() => requests.length === 1);
    send(policyType.typeUrl, "1", { resources: [resource(policyType, "a", policy("x"))] });
    await changes.until(() => requests.some((request) => request.resourceNamesSubscribe.includes("b")));
    send(policyType.typeUrl, "2", { removedResources: ["b"] });
    await changes.until(() => inner.history.length === 1);
  });
});
