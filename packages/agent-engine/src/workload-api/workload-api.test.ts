// The Workload API over a real socket, with sources of identities made for the test.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { Client, credentials, Metadata, status, type ClientReadableStream, type MethodDefinition } from "@grpc/grpc-js";
import { err, ok, type Result } from "@ripstop/core";
import { derToPem } from "@ripstop/identity";
import { formatBundle, emptyBundle } from "@ripstop/identity/jwt";
import type { BundlesView, JwtSvidResponse } from "@ripstop/model";
import { PatientClock, TestAuthority } from "@ripstop/testkit";

import type { ApiFailure } from "../control-api.ts";
import type {
  IdentityRefusal,
  JwtSvid,
  PeerCredentials,
  WorkloadIdentities,
  WorkloadIdentitySource,
} from "../workload-identity-source.ts";
import { listenWorkloadApi, type WorkloadApiListener, type WorkloadApiOptions } from "./index.ts";
import { RunIdentitySource } from "./run-identity-source.ts";
import { workloadApiService } from "./workload-api-service.ts";

const WEB = "spiffe://test.mesh/ns/shop/sa/web";
const caller: PeerCredentials = { uid: 1000, gid: 1000, pid: 4711, isAlive: () => true };

type StreamDefinition<Out> = Pick<MethodDefinition<object, Out>, "path" | "requestSerialize" | "responseDeserialize">;

/** Gives what it is told to, and again when it changes. */
class FakeSource implements WorkloadIdentitySource {
  identities: WorkloadIdentities = { svids: [], bundles: new Map() };
  jwt: Result<JwtSvid, IdentityRefusal> = err({ reason: "denied", message: "no" });
  iterations = 0;
  broken = false;
  readonly #wake = new Set<() => void>();

  set(identities: WorkloadIdentities): void {
    this.identities = identities;
    for (const wake of this.#wake) wake();
  }

  async *identitiesOf(_caller: PeerCredentials, signal: AbortSignal): AsyncIterable<WorkloadIdentities> {
    if (this.broken) throw new Error("a secret of this host");
    this.iterations++;
    try {
      while (!signal.aborted) {
        const given = this.identities;
        yield given;
        // Changed while the taker was busy with the last ones.
        if (given !== this.identities) continue;
        await new Promise<void>((resolve) => {
          this.#wake.add(resolve);
          signal.addEventListener("abort", () => resolve());
          if (signal.aborted) resolve();
        });
      }
    } finally {
      this.iterations--;
    }
  }

  fetchJwtSvid(
    _caller: PeerCredentials,
    _audience: readonly string[],
    spiffeId = "",
  ): Promise<Result<JwtSvid, IdentityRefusal>> {
    return Promise.resolve(this.jwt.ok ? ok({ ...this.jwt.value, spiffeId }) : this.jwt);
  }
}

describe("the Workload API", () => {
  let directory = "";
  let source: FakeSource;
  let listener: WorkloadApiListener | undefined;
  const clients: Client[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "ripstop-api-"));
    source = new FakeSource();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await listener?.close();
    listener = undefined;
    rmSync(directory, { recursive: true });
  });

  async function listen(change: Partial<WorkloadApiOptions> = {}): Promise<WorkloadApiListener> {
    const options: WorkloadApiOptions = {
      path: join(directory, "workload.sock"),
      mode: 0o600,
      source,
      clock: new PatientClock(),
      credentialsOf: () => ok(caller),
      ...change,
    };
    const listening = await listenWorkloadApi(options);
    assert.ok(listening.ok);
    listener = listening.value;
    return listening.value;
  }

  function client(): Client {
    assert.ok(listener);
    const made = new Client(listener.address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
    clients.push(made);
    return made;
  }

  function metadata(): Metadata {
    const made = new Metadata();
    made.set("workload.spiffe.io", "true");
    return made;
  }

  function open<Out>(definition: StreamDefinition<Out>, from: Client = client()): ClientReadableStream<Out> {
    const { path, requestSerialize, responseDeserialize } = definition;
    const stream = from.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}, metadata());
    stream.on("error", () => undefined);
    return stream;
  }

  async function next<Out>(stream: ClientReadableStream<Out>): Promise<Out> {
    const [message] = (await once(stream, "data")) as [Out];
    return message;
  }

  function call<In, Out>(definition: MethodDefinition<In, Out>, request: In): Promise<Out> {
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise((resolve, reject) => {
      client().makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata(), (error, answer) => {
        if (error || answer === undefined) reject(error ?? new Error("no answer"));
        else resolve(answer);
      });
    });
  }

  async function identities(...names: readonly string[]): Promise<WorkloadIdentities> {
    const authority = await TestAuthority.create();
    const svids = await Promise.all(
      names.map(async (name) => {
        const { spiffeId, leafDer } = await authority.issue(authority.idOf(name));
        return { spiffeId, chainDer: [leafDer], keyDer: Buffer.from(`key of ${name}`), hint: name, notAfterMs: 0 };
      }),
    );
    const roots = Buffer.from(authority.bundlePem.replaceAll(/-----.*-----|\s/g, ""), "base64");
    return { svids, bundles: new Map([["test.mesh", { x509Der: [roots], jwksJson: undefined }]]) };
  }

  it("has a socket of the mode that is wanted, and replaces one that a dead process left", async () => {
    const first = await listen({ mode: 0o666 });
    const path = first.address.slice("unix://".length);
    assert.equal(statSync(path).mode & 0o777, 0o666);
    await first.close();
    assert.equal(existsSync(path), false);
    await listen();
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("says when it cannot listen", async () => {
    const listening = await listenWorkloadApi({
      path: join(directory, "no/such/folder"),
      mode: 0o600,
      source,
      clock: new PatientClock(),
      credentialsOf: () => ok(caller),
    });
    assert.equal(listening.ok ? "" : listening.error.kind.code, "RS4030");
  });

  it("denies a caller without identity, on every method", async () => {
    await listen();
    for (const method of ["FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"] as const) {
      const [error] = (await once(open<unknown>(workloadApiService[method]), "error")) as [{ code: number }];
      assert.equal(error.code, status.PERMISSION_DENIED, method);
    }
    await assert.rejects(call(workloadApiService.FetchJWTSVID, { audience: ["a"], spiffeId: "" }), {
      code: status.PERMISSION_DENIED,
    });
    await assert.rejects(call(workloadApiService.ValidateJWTSVID, { audience: "a", svid: "a.b.c" }), {
      code: status.PERMISSION_DENIED,
    });
    assert.equal(source.iterations, 0);
  });

  it("gives every identity of a caller, with its hint", async () => {
    source.set(await identities("web", "batch"));
    await listen();
    const { svids } = await next(open(workloadApiService.FetchX509SVID));
    assert.deepEqual(
      svids.map(({ spiffeId, hint, x509SvidKey }) => [spiffeId, hint, x509SvidKey.toString()]),
      [
        [WEB, "web", "key of web"],
        ["spiffe://test.mesh/ns/shop/sa/batch", "batch", "key of batch"],
      ],
    );
    source.jwt = ok({ spiffeId: "", token: "t", hint: "" });
    const tokens = await call(workloadApiService.FetchJWTSVID, { audience: ["a"], spiffeId: "" });
    assert.deepEqual(
      tokens.svids.map(({ spiffeId }) => spiffeId),
      [WEB, "spiffe://test.mesh/ns/shop/sa/batch"],
    );
    const one = await call(workloadApiService.FetchJWTSVID, { audience: ["a"], spiffeId: WEB });
    assert.equal(one.svids.length, 1);
  });

  it("streams an identity again when it was renewed, and bundles only when they changed", async () => {
    source.set(await identities("web"));
    await listen();
    const svids = open(workloadApiService.FetchX509SVID);
    const bundles = open(workloadApiService.FetchX509Bundles);
    let bundleMessages = 0;
    bundles.on("data", () => bundleMessages++);
    // Each stream has a connection of its own, and begins when it likes.
    const [first] = await Promise.all([next(svids), next(bundles)]);
    const renewed = await identities("web");
    source.set({ ...renewed, bundles: source.identities.bundles });
    const second = await next(svids);
    assert.notDeepEqual(second.svids[0]?.x509Svid, first.svids[0]?.x509Svid);
    source.set(renewed);
    await next(svids);
    while (bundleMessages < 2) await once(bundles, "data");
    assert.equal(bundleMessages, 2);
  });

  it("ends a stream with PERMISSION_DENIED when the identity is taken away", async () => {
    source.set(await identities("web"));
    await listen();
    const stream = open(workloadApiService.FetchX509SVID);
    await next(stream);
    const failed = once(stream, "error") as Promise<[{ code: number }]>;
    source.set({ svids: [], bundles: source.identities.bundles });
    assert.equal((await failed)[0].code, status.PERMISSION_DENIED);
  });

  it("leaves nothing behind when a client cancels, or is gone", async () => {
    source.set(await identities("web"));
    await listen();
    const gone = client();
    const streams = [open(workloadApiService.FetchX509SVID), open(workloadApiService.FetchX509Bundles, gone)];
    await Promise.all(streams.map((stream) => next<unknown>(stream)));
    assert.equal(source.iterations, 2);
    streams[0]?.cancel();
    gone.close();
    streams[1]?.cancel();
    while (source.iterations > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(source.iterations, 0);
  });

  it("tells nothing of its own failures", async () => {
    source.broken = true;
    await listen();
    const [error] = (await once(open<unknown>(workloadApiService.FetchX509SVID), "error")) as [
      { code: number; details: string },
    ];
    assert.equal(error.code, status.INTERNAL);
    assert.equal(error.details, "the Workload API failed");
  });

  it("refuses what is too large or too much", async () => {
    source.set(await identities("web"));
    await listen();
    const long = "x".repeat(70_000);
    for (const [request, code] of [
      [{ audience: [long], spiffeId: "" }, status.RESOURCE_EXHAUSTED],
      [{ audience: ["x".repeat(513)], spiffeId: "" }, status.INVALID_ARGUMENT],
      [{ audience: Array.from({ length: 9 }, (_, at) => `a${at}`), spiffeId: "" }, status.INVALID_ARGUMENT],
    ] as const) {
      await assert.rejects(call(workloadApiService.FetchJWTSVID, { ...request, audience: [...request.audience] }), {
        code,
      });
    }
    await assert.rejects(call(workloadApiService.ValidateJWTSVID, { audience: "a", svid: "y".repeat(16_385) }), {
      code: status.INVALID_ARGUMENT,
    });
  });

  it("takes a bounded number of connections from one process, and closes those of a caller that cannot be told", async () => {
    await listen();
    assert.ok(listener);
    const path = listener.address.slice("unix://".length);
    const sockets: Socket[] = [];
    for (let at = 0; at < 33; at++) {
      const socket = connect(path);
      socket.on("error", () => undefined);
      await once(socket, "connect");
      sockets.push(socket);
    }
    const last = sockets.at(-1);
    assert.ok(last);
    last.resume();
    await once(last, "close");
    assert.equal(sockets.filter((socket) => socket.destroyed).length, 1);
    for (const socket of sockets) socket.destroy();
    await listener.close();
    const lines: string[] = [];
    await listen({ credentialsOf: () => err("its process is gone"), report: (line) => lines.push(line) });
    const stranger = connect(path);
    stranger.resume();
    await once(stranger, "close");
    assert.match(lines.join("\n"), /its process is gone/);
  });

  it("survives callers that speak no gRPC", async () => {
    source.set(await identities("web"));
    await listen();
    assert.ok(listener);
    for (const bytes of [
      "GET / HTTP/1.1\r\n\r\n",
      "\0\0\0",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ]) {
      const socket = connect(listener.address.slice("unix://".length));
      socket.on("error", () => undefined);
      socket.resume();
      socket.end(Buffer.from(bytes, "latin1"));
      // Closed or reset, as the server has read everything by then or not.
      await new Promise((resolve) => socket.on("close", resolve));
    }
    assert.equal((await next(open(workloadApiService.FetchX509SVID))).svids.length, 1);
  });

  it("ends its streams with UNAVAILABLE when it closes", async () => {
    source.set(await identities("web"));
    const listening = await listen();
    const stream = open(workloadApiService.FetchX509SVID);
    await next(stream);
    const failed = once(stream, "error") as Promise<[{ code: number }]>;
    await listening.close();
    assert.equal((await failed)[0].code, status.UNAVAILABLE);
  });
});

describe("the identities of a run", () => {
  const failure: ApiFailure = { status: 0, error: { code: "RS4001", title: "", message: "away", remedy: "" } };

  /** A control plane that answers when the test wants it to. */
  class FakeApi {
    readonly asked: string[] = [];
    answers: Result<BundlesView, ApiFailure>[] = [];
    jwt: Result<JwtSvidResponse, ApiFailure> = err(failure);
    #more: () => void = () => undefined;

    async bundles(after: string, _waitMs: number, signal?: AbortSignal): Promise<Result<BundlesView, ApiFailure>> {
      this.asked.push(after);
      for (;;) {
        const answer = this.answers.shift();
        if (answer !== undefined) return answer;
        if (signal?.aborted === true) return err(failure);
        await new Promise<void>((resolve) => {
          this.#more = resolve;
          signal?.addEventListener("abort", () => resolve());
        });
      }
    }

    give(answer: Result<BundlesView, ApiFailure>): void {
      this.answers.push(answer);
      this.#more();
    }

    jwtSvid(): Promise<Result<JwtSvidResponse, ApiFailure>> {
      return Promise.resolve(this.jwt);
    }
  }

  async function make(): Promise<{
    source: RunIdentitySource;
    api: FakeApi;
    authority: TestAuthority;
    renew(): Promise<void>;
  }> {
    const authority = await TestAuthority.create();
    const api = new FakeApi();
    const source = new RunIdentitySource({
      api,
      clock: new PatientClock(),
      workloadId: "shop/web-1",
      spiffeId: WEB,
      trustDomain: "test.mesh",
    });
    const renew = async (): Promise<void> => {
      const { keyPem, chainPem } = await authority.issue(WEB);
      source.renewed(keyPem, chainPem, authority.bundlePem);
    };
    await renew();
    return { source, api, authority, renew };
  }

  function view(version: string, ...trustDomains: readonly TestAuthority[]): Result<BundlesView, ApiFailure> {
    const bundles = trustDomains.map(({ trustDomain, bundlePem }) => {
      const root = Buffer.from(bundlePem.replaceAll(/-----.*-----|\s/g, ""), "base64");
      return [trustDomain, formatBundle({ ...emptyBundle, x509Authorities: [root] })] as const;
    });
    return ok({ version, trustDomain: "test.mesh", bundles: Object.fromEntries(bundles) });
  }

  async function take(iterator: AsyncIterator<WorkloadIdentities>): Promise<WorkloadIdentities> {
    const { value, done } = await iterator.next();
    assert.notEqual(done, true);
    return value as WorkloadIdentities;
  }

  it("are the SVID with the bundles of the control plane, again after every renewal and every change of a bundle", async () => {
    const { source, api, authority, renew } = await make();
    const ended = new AbortController();
    const iterator = source.identitiesOf(caller, ended.signal)[Symbol.asyncIterator]();
    api.give(view("1", authority));
    const first = await take(iterator);
    assert.deepEqual([...first.bundles.keys()], ["test.mesh"]);
    assert.equal(derToPem(first.bundles.get("test.mesh")?.x509Der ?? []).trim(), authority.bundlePem.trim());
    await renew();
    const second = await take(iterator);
    assert.notDeepEqual(second.svids[0]?.chainDer, first.svids[0]?.chainDer);
    api.give(view("2", authority, await TestAuthority.create("partner.example")));
    assert.deepEqual([...(await take(iterator)).bundles.keys()].sort(), ["partner.example", "test.mesh"]);
    api.give(view("3", authority));
    assert.deepEqual([...(await take(iterator)).bundles.keys()], ["test.mesh"]);
    ended.abort();
    assert.equal((await iterator.next()).done, true);
    assert.deepEqual(api.asked.slice(0, 3), ["", "1", "2"]);
    source.close();
  });

  it("are there while the control plane is away, with the roots of the last renewal", async () => {
    const { source, api } = await make();
    const iterator = source.identitiesOf(caller, new AbortController().signal)[Symbol.asyncIterator]();
    api.give(err(failure));
    const { svids, bundles } = await take(iterator);
    assert.equal(svids[0]?.spiffeId, WEB);
    assert.equal(bundles.get("test.mesh")?.x509Der.length, 1);
    source.close();
    assert.equal((await iterator.next()).done, true);
  });

  it("keep their bundles when the control plane answers without the own one", async () => {
    const { source, api, authority } = await make();
    const iterator = source.identitiesOf(caller, new AbortController().signal)[Symbol.asyncIterator]();
    api.give(view("1", authority));
    await take(iterator);
    api.give(view("2"));
    api.give(view("3", authority, await TestAuthority.create("partner.example")));
    assert.equal((await take(iterator)).bundles.size, 2);
    source.close();
  });

  it("are not asked for at the control plane while nobody listens", async () => {
    const { source, api, renew } = await make();
    await renew();
    assert.deepEqual(api.asked, []);
    source.close();
  });

  it("have JWT-SVIDs of the own id alone, and tell why there is none", async () => {
    const { source, api } = await make();
    api.jwt = ok({ spiffeId: WEB, token: "t", expiresAtMs: 1 });
    assert.deepEqual(await source.fetchJwtSvid(caller, ["a"], WEB), ok({ spiffeId: WEB, token: "t", hint: "" }));
    const reason = async (statusCode: number): Promise<string> => {
      api.jwt = err({ ...failure, status: statusCode });
      const result = await source.fetchJwtSvid(caller, ["a"]);
      return result.ok ? "" : result.error.reason;
    };
    assert.deepEqual(await Promise.all([reason(0), reason(500), reason(400), reason(403)]), [
      "unavailable",
      "unavailable",
      "invalid",
      "denied",
    ]);
    const other = await source.fetchJwtSvid(caller, ["a"], "spiffe://test.mesh/ns/shop/sa/admin");
    assert.equal(other.ok ? "" : other.error.reason, "denied");
    source.close();
  });
});
