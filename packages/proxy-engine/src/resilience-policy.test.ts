// What a ResiliencePolicy makes proxies do, in real proxies with real connections and a clock that the test moves.

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import {
  AdaptiveConcurrency_Scope,
  LoadShedding_Priority,
  RetrySettings_Condition,
  workloadType,
  type LoadShedding,
  type Resilience,
  type RetrySettings,
} from "@ripstop/model";
import { metricNames, type MetricName } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { meshEndpoint, plainEndpoint, rule, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchVia,
  httpApp,
  passTime,
  tcpApp,
  TcpClient,
  type Answer,
  type Ask,
  type Started,
} from "./testing/test-peers.suite.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** A caller, and service "catalog" with plain applications behind it. */
class Bench {
  readonly mesh: TestMesh;
  readonly clock: StoppedClock = new StoppedClock();
  readonly apps: Started[] = [];
  #web: TestProxy | undefined = undefined;

  private constructor(mesh: TestMesh) {
    this.mesh = mesh;
  }

  static async with(run: (bench: Bench) => Promise<void>): Promise<void> {
    const bench = new Bench(await TestMesh.create());
    try {
      await run(bench);
      assert.deepEqual(bench.mesh.config.refused, []);
      await eventually(() => bench.web.proxy.live.exchanges === 0);
    } finally {
      await bench.mesh.close();
      for (const app of bench.apps) await app.close();
    }
  }

  get web(): TestProxy {
    assert.ok(this.#web);
    return this.#web;
  }

  /** One application for each of `handlers`, and the caller. */
  async serve(handlers: readonly Handle[], resilience: Partial<Resilience> = {}): Promise<void> {
    for (const handle of handlers) this.apps.push(await httpApp(handle));
    this.settings(resilience);
    this.#web ??= await this.mesh.start({ id: "shop/web-1", service: "shop/web", clock: this.clock });
  }

  settings(resilience: Partial<Resilience>): void {
    this.mesh.service("shop/catalog", {
      ports: [{ port: 80 }],
      endpoints: this.apps.map(({ port }) => plainEndpoint(port, { 80: port })),
      resilience: { ejectAfterFailures: 1_000_000, ...resilience },
    });
  }

  get(path: string = "/", ask: Ask = {}): Promise<Answer> {
    return fetchVia(this.web.ports.httpProxy, `http://catalog${path}`, ask);
  }

  /** Asks, and lets time pass until the answer is there. */
  async whileClockGoes(path: string = "/", ask: Ask = {}): Promise<Answer> {
    let answer: Answer | undefined;
    let failed: unknown;
    this.get(path, ask).then(
      (got) => (answer = got),
      (error: unknown) => (failed = error),
    );
    await passTime(this.clock, () => answer !== undefined || failed !== undefined);
    if (answer === undefined) throw failed;
    return answer;
  }

  counter({ name, help }: MetricName, labels: Record<string, string>): number {
    return this.web.proxy.engine.metrics.counter(name, help, { service: "shop/catalog", ...labels }).value;
  }
}

const NO_TIMEOUTS = { perTryMs: 0, responseHeaderMs: 0, bodyMs: 0, streamIdleMs: 0, connectionIdleMs: 0 };

function retries(parts: Partial<RetrySettings>): RetrySettings {
  return {
    conditions: [],
    codes: [],
    grpcStatuses: [],
    methods: [],
    backoffMs: 0,
    maxBackoffMs: 0,
    maxRetryAfterMs: 0,
    budgetMinPerSecond: 1000,
    budgetPercent: 1000,
    ...parts,
  };
}

/** An application that counts, and answers its first `failures` requests with `status`. */
function failing(failures: number, status: number, headers: Record<string, string> = {}): Handle & { count: number } {
  const handle = Object.assign(
    (request: IncomingMessage, response: ServerResponse) => {
      handle.count++;
      request.resume();
      if (handle.count <= failures) {
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        response.statusCode = status;
      }
      response.end(`try ${handle.count}`);
    },
    { count: 0 },
  );
  return handle;
}

const never: Handle = () => undefined;
const codeOf = ({ headers }: Answer): unknown => headers["x-ripstop-error"];

describe("time-outs", () => {
  const cases: readonly (readonly [string, Partial<Resilience>, string])[] = [
    ["of the whole request", { requestTimeoutMs: 300 }, "RS1005"],
    ["of one try", { maxRetries: -1, timeouts: { ...NO_TIMEOUTS, perTryMs: 300 } }, "RS1070"],
    ["until the response header", { maxRetries: -1, timeouts: { ...NO_TIMEOUTS, responseHeaderMs: 300 } }, "RS1071"],
    ["of an idle stream", { timeouts: { ...NO_TIMEOUTS, streamIdleMs: 300 } }, "RS1073"],
  ];
  for (const [which, resilience, code] of cases) {
    it(`${which} ends it with an error that says so`, () =>
      Bench.with(async (bench) => {
        await bench.serve([never], resilience);
        const answer = await bench.whileClockGoes();
        assert.deepEqual([answer.status, codeOf(answer)], [504, code]);
        assert.match(answer.body, /300 ms/);
      }));
  }

  it("say the nearer one of the route and the policy, the route's own first", () =>
    Bench.with(async (bench) => {
      await bench.serve([never], { requestTimeoutMs: 300 });
      bench.mesh.routes("shop/catalog", [rule([["shop/catalog", 80, 1]], { requestTimeoutMs: 700 })]);
      assert.match((await bench.whileClockGoes()).body, /700 ms/);
    }));

  it("do not hold where the route wants none", () =>
    Bench.with(async (bench) => {
      const late: Handle = (_request, response) => {
        bench.clock.advance(60_000);
        setImmediate(() => response.end("late"));
      };
      await bench.serve([late], { requestTimeoutMs: 300, timeouts: { ...NO_TIMEOUTS, perTryMs: 200 } });
      const none = { noRequestTimeout: true, noBackendTimeout: true };
      bench.mesh.routes("shop/catalog", [rule([["shop/catalog", 80, 1]], none)]);
      assert.equal((await bench.get()).body, "late");
    }));

  it("of the body cuts an answer that has begun, and of the header does not", () =>
    Bench.with(async (bench) => {
      const half: Handle = (_request, response) => void response.write("half");
      await bench.serve([half], { timeouts: { ...NO_TIMEOUTS, responseHeaderMs: 100, bodyMs: 2_000 } });
      const client = new TcpClient(bench.web.ports.httpProxy);
      client.write("GET http://catalog/ HTTP/1.1\r\nhost: catalog\r\n\r\n");
      await client.until("half");
      bench.clock.advance(1_000);
      await passTime(bench.clock, () => client.ended || client.closed);
      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
      client.socket.destroy();
      assert.equal(bench.counter(metricNames.TIMEOUTS, { timeout: "body_timed_out" }), 1);
      assert.equal(bench.counter(metricNames.TIMEOUTS, { timeout: "response_header_timed_out" }), 0);
    }));

  it("of the body alone cuts an answer that has begun", () =>
    Bench.with(async (bench) => {
      const half: Handle = (_request, response) => void response.write("half");
      await bench.serve([half], { timeouts: { ...NO_TIMEOUTS, bodyMs: 2_000 } });
      await assert.rejects(bench.whileClockGoes());
      assert.equal(bench.counter(metricNames.TIMEOUTS, { timeout: "body_timed_out" }), 1);
    }));

  it("of an idle stream leaves one alone in which bytes pass", () =>
    Bench.with(async (bench) => {
      let stream: ServerResponse | undefined;
      await bench.serve([(_request, response) => void (stream = response)], {
        timeouts: { ...NO_TIMEOUTS, streamIdleMs: 600 },
      });
      const client = new TcpClient(bench.web.ports.httpProxy);
      client.write("GET http://catalog/ HTTP/1.1\r\nhost: catalog\r\nconnection: close\r\n\r\n");
      await eventually(() => stream !== undefined);
      for (let count = 0; count < 20; count++) {
        bench.clock.advance(90);
        stream?.write(`byte ${count};`);
        await client.until(`byte ${count};`);
      }
      stream?.end();
      await client.untilEnd();
      assert.match(client.received, /byte 19;\r\n0\r\n\r\n$/);
      client.socket.destroy();
    }));

  it("of one try leads to another try within the time of the whole request", () =>
    Bench.with(async (bench) => {
      let count = 0;
      const second: Handle = (_request, response) => void (++count > 1 && response.end("second"));
      await bench.serve([second], { requestTimeoutMs: 5_000, timeouts: { ...NO_TIMEOUTS, perTryMs: 200 } });
      assert.equal((await bench.whileClockGoes()).body, "second");
      assert.equal(bench.counter(metricNames.TIMEOUTS, { timeout: "try_timed_out" }), 0);
    }));

  it("of connecting has a code of its own", () =>
    Bench.with(async (bench) => {
      // Accepts, and never says a word of TLS.
      const silent = await tcpApp(() => undefined);
      bench.apps.push(silent);
      await bench.serve([never], { maxRetries: -1, connectTimeoutMs: 200 });
      const address = `127.0.0.1:${silent.port}`;
      bench.mesh.endpoints("shop/catalog", [
        { ...meshEndpoint("shop/catalog-1", bench.web, { 80: 8080 }), address, id: "shop/catalog-1" },
      ]);
      const answer = await bench.whileClockGoes();
      assert.deepEqual([answer.status, codeOf(answer)], [504, "RS1074"], answer.body);
    }));
});

describe("retries by policy", () => {
  it("follow its conditions, codes and methods", () =>
    Bench.with(async (bench) => {
      const app = failing(1, 500);
      await bench.serve([app], { retries: retries({ conditions: [RetrySettings_Condition.GATEWAY_ERROR] }) });
      assert.equal((await bench.whileClockGoes()).status, 500);
      app.count = 0;
      bench.settings({ retries: retries({ conditions: [RetrySettings_Condition.SERVER_ERROR] }) });
      assert.equal((await bench.whileClockGoes()).body, "try 2");
      app.count = 0;
      assert.equal((await bench.whileClockGoes("/", { method: "POST", body: "x" })).status, 500);
      bench.settings({ retries: retries({ codes: [500], methods: ["POST"] }) });
      app.count = 0;
      assert.equal((await bench.whileClockGoes("/", { method: "POST", body: "x" })).body, "try 2");
      app.count = 0;
      bench.settings({ maxRetries: -1, retries: retries({ codes: [500] }) });
      assert.equal((await bench.whileClockGoes()).status, 500);
    }));

  it("wait for the backoff, longer each time, and stay within the budget", () =>
    Bench.with(async (bench) => {
      const times: number[] = [];
      const app: Handle = (_request, response) => {
        times.push(bench.clock.monotonicMs());
        response.statusCode = 503;
        response.end();
      };
      await bench.serve([app], { maxRetries: 3, retries: retries({ backoffMs: 1_000, maxBackoffMs: 2_000 }) });
      assert.equal((await bench.whileClockGoes()).status, 503);
      const [first = 0, second = 0, third = 0, fourth = 0] = times;
      assert.equal(times.length, 4);
      assert.ok(second - first >= 1_000 && third - second >= 2_000, times.join());
      assert.ok(fourth - third >= 2_000 && fourth - third < 4_000, times.join());
      bench.settings({ retries: retries({ budgetPercent: 0, budgetMinPerSecond: 0 }) });
      assert.equal((await bench.whileClockGoes()).status, 503);
      assert.equal(times.length, 5);
    }));

  it("wait for Retry-After, and pass an answer on that asks for too long", () =>
    Bench.with(async (bench) => {
      const soon = failing(1, 503, { "retry-after": "2" });
      await bench.serve([soon], { retries: retries({ maxRetryAfterMs: 5_000 }) });
      const startMs = bench.clock.monotonicMs();
      assert.equal((await bench.whileClockGoes()).body, "try 2");
      assert.ok(bench.clock.monotonicMs() - startMs >= 2_000);
      soon.count = 0;
      bench.settings({ retries: retries({ maxRetryAfterMs: 1_999 }) });
      assert.equal((await bench.get()).status, 503);
      soon.count = 0;
      bench.settings({ requestTimeoutMs: 1_000, retries: retries({ maxRetryAfterMs: 5_000 }) });
      assert.equal((await bench.get()).status, 503);
    }));

  it("add no more than the budget to the load", () =>
    Bench.with(async (bench) => {
      const app = failing(1_000_000, 503);
      await bench.serve([app, app], { maxRetries: 3, retries: retries({ budgetPercent: 20, budgetMinPerSecond: 0 }) });
      for (let count = 0; count < 200; count++) assert.equal((await bench.whileClockGoes()).status, 503);
      assert.ok(app.count > 230 && app.count <= 240, String(app.count));
    }));
});

describe("hedging", () => {
  it("sends a second try to another instance, takes the first answer and resets the other try", () =>
    Bench.with(async (bench) => {
      let reset = 0;
      let asked = 0;
      const stuck: Handle = (request) => {
        asked++;
        request.on("close", () => reset++);
      };
      const quick: Handle = (_request, response) => void response.end("quick");
      await bench.serve([stuck, quick], {
        hedging: { delayMs: 100, percentile: 0 },
        retries: retries({}),
      });
      for (let count = 0; count < 12; count++) assert.equal((await bench.whileClockGoes()).body, "quick");
      assert.ok(asked > 0);
      await eventually(() => reset === asked);
      // A quick answer that is late is hedged too, and may come before the hedge is sent.
      const hedges = bench.counter(metricNames.HEDGES, {});
      assert.ok(hedges >= asked && hedges <= 12, `${hedges} hedges, ${asked} stuck`);
      const cluster = bench.web.proxy.workloads.get("shop/web-1")?.hosts.clusters.get("shop/catalog");
      assert.ok(cluster?.endpoints.all.every(({ inflight }) => inflight === 0));
    }));

  it("leaves requests alone that are not safe to repeat, have a body, or exceed the budget", () =>
    Bench.with(async (bench) => {
      const late: Handle = (request, response) => {
        request.resume();
        request.on("end", () => {
          bench.clock.advance(1_000);
          setImmediate(() => response.end("late"));
        });
      };
      await bench.serve([late, late], { hedging: { delayMs: 100, percentile: 0 }, retries: retries({}) });
      await bench.get("/", { method: "POST", body: "x" });
      await bench.get("/", { method: "PUT", body: "x" });
      assert.equal(bench.counter(metricNames.HEDGES, {}), 0);
      bench.settings({
        hedging: { delayMs: 100, percentile: 0 },
        retries: retries({ budgetPercent: 0, budgetMinPerSecond: 0 }),
      });
      await bench.get();
      assert.equal(bench.counter(metricNames.HEDGES, {}), 0);
    }));

  it("goes on with the other try when one of the two fails", () =>
    Bench.with(async (bench) => {
      let turn = 0;
      // Whoever is asked first breaks off once the other one was asked, which then answers.
      let breakOff = (): void => undefined;
      const app: Handle = (request, response) => {
        if (turn++ % 2 === 0) breakOff = () => void request.socket.destroy();
        else {
          breakOff();
          request.socket.once("drain", () => undefined);
          setImmediate(() => setImmediate(() => response.end("other")));
        }
      };
      await bench.serve([app, app], { hedging: { delayMs: 100, percentile: 0 }, retries: retries({}) });
      for (let count = 0; count < 5; count++) assert.equal((await bench.whileClockGoes()).body, "other");
    }));
});

describe("limits", () => {
  it("refuse the request that is one too many, and let the next one in when there is room", () =>
    Bench.with(async (bench) => {
      const held: ServerResponse[] = [];
      await bench.serve([(_request, response) => void held.push(response)], {
        limits: { maxConnections: 0, maxPending: 0, maxRequests: 2, maxRetries: 0 },
      });
      const first = bench.get();
      const second = bench.get();
      await eventually(() => held.length === 2);
      const third = await bench.get();
      assert.deepEqual([third.status, codeOf(third)], [503, "RS1075"]);
      assert.match(third.body, /limits\.requests/);
      assert.equal(bench.counter(metricNames.LOAD_REFUSALS, { limit: "circuit" }), 1);
      for (const response of held.splice(0)) response.end("ok");
      assert.deepEqual([(await first).status, (await second).status], [200, 200]);
      const fourth = bench.get();
      await eventually(() => held.length === 1);
      held[0]?.end("ok");
      assert.equal((await fourth).status, 200);
    }));

  it("hold connections and those who wait for one", () =>
    Bench.with(async (bench) => {
      const held: ServerResponse[] = [];
      await bench.serve([(_request, response) => void held.push(response)], {
        limits: { maxConnections: 1, maxPending: 1, maxRequests: 0, maxRetries: 0 },
      });
      const first = bench.get();
      await eventually(() => held.length === 1);
      const second = bench.get();
      const pool = (): { readonly waiting: number } | undefined =>
        [...(bench.web.proxy.workloads.get("shop/web-1")?.connector.pools ?? [])][0];
      await eventually(() => pool()?.waiting === 1);
      const third = await bench.get();
      assert.deepEqual([third.status, codeOf(third)], [503, "RS1075"]);
      assert.match(third.body, /limits\.pending/);
      held.shift()?.end("ok");
      assert.equal((await first).status, 200);
      await eventually(() => held.length === 1);
      held.shift()?.end("ok");
      assert.equal((await second).status, 200);
    }));

  for (const scope of [AdaptiveConcurrency_Scope.SERVICE, AdaptiveConcurrency_Scope.ENDPOINT]) {
    it(`that adapt refuse what goes beyond them (scope ${scope}), and count everything out`, () =>
      Bench.with(async (bench) => {
        const held: ServerResponse[] = [];
        await bench.serve([(_request, response) => void held.push(response)], {
          adaptive: { scope, minLimit: 1, maxLimit: 2 },
        });
        const both = [bench.get(), bench.get()];
        await eventually(() => held.length === 2);
        const third = await bench.get();
        assert.deepEqual([third.status, codeOf(third)], [503, "RS1076"]);
        for (const response of held.splice(0)) response.end("ok");
        for (const answer of await Promise.all(both)) assert.equal(answer.status, 200);
        const cluster = bench.web.proxy.workloads.get("shop/web-1")?.hosts.clusters.get("shop/catalog");
        const limiter = cluster?.limiter ?? cluster?.endpoints.all[0]?.limiter;
        assert.equal(limiter?.inflight, 0);
      }));
  }
});

describe("load shedding", () => {
  const shedding = (parts: Partial<LoadShedding>): LoadShedding => ({
    rules: [],
    header: "x-request-priority",
    maxRequests: 5,
    adaptiveMin: 0,
    ...parts,
  });

  /** A workload in the mesh that answers what the test lets it. */
  async function workload(bench: Bench, config: LoadShedding): Promise<ServerResponse[]> {
    const held: ServerResponse[] = [];
    const app = await httpApp((_request, response) => void held.push(response));
    bench.apps.push(app);
    const ports = [{ port: 8080, applicationPort: app.port }];
    const started = await bench.mesh.start({ id: "shop/catalog-1", service: "shop/catalog", ports });
    bench.mesh.config.set(workloadType, "shop/catalog-1", {
      id: "shop/catalog-1",
      namespace: "shop",
      serviceAccount: "catalog",
      spiffeId: "",
      labels: {},
      ports: [{ port: 8080, protocol: 0, name: "", applicationAddress: `127.0.0.1:${app.port}` }],
      policies: [],
      locality: undefined,
      service: "shop/catalog",
      shedding: config,
    });
    await bench.serve([]);
    bench.mesh.service("shop/catalog", {
      ports: [{ port: 80 }],
      endpoints: [meshEndpoint("shop/catalog-1", started, { 80: 8080 })],
      resilience: { maxRetries: -1 },
    });
    return held;
  }

  it("refuses the least important first, says so and when to come again", () =>
    Bench.with(async (bench) => {
      const held = await workload(bench, shedding({}));
      const ask = (priority: string): Promise<Answer> =>
        bench.get("/", { headers: { "x-request-priority": priority } });
      const inside = [ask("sheddable"), ask("sheddable"), ask("sheddable")];
      await eventually(() => held.length === 3);
      // 60 % of five is three, 80 % four, 95 % four, 100 % five.
      const shed = await ask("sheddable");
      assert.deepEqual([shed.status, codeOf(shed), shed.headers["retry-after"]], [503, "RS1077", "1"]);
      inside.push(ask("low"));
      await eventually(() => held.length === 4);
      assert.equal(codeOf(await ask("low")), "RS1077");
      assert.equal(codeOf(await ask("nonsense")), "RS1077");
      inside.push(ask("critical"));
      await eventually(() => held.length === 5);
      assert.equal(codeOf(await ask("critical")), "RS1077");
      for (const response of held.splice(0)) response.end("ok");
      for (const answer of await Promise.all(inside)) assert.equal(answer.status, 200);
    }));

  it("knows the priority by path and caller, before any header", () =>
    Bench.with(async (bench) => {
      const held = await workload(
        bench,
        shedding({
          maxRequests: 1,
          rules: [
            { paths: ["/reports/*"], principals: [], priority: LoadShedding_Priority.SHEDDABLE },
            { paths: [], principals: ["spiffe://test.local/ns/shop/sa/web"], priority: LoadShedding_Priority.CRITICAL },
          ],
        }),
      );
      const first = bench.get("/", { headers: { "x-request-priority": "sheddable" } });
      await eventually(() => held.length === 1);
      assert.match((await bench.get("/reports/x")).body, /priority sheddable/);
      assert.match((await bench.get("/orders")).body, /priority critical/);
      held[0]?.end("ok");
      assert.equal((await first).status, 200);
    }));
});

describe("the deadline of a caller", () => {
  it("is passed on with what is left of it, and reduced at every hop", () =>
    Bench.with(async (bench) => {
      const seen: number[] = [];
      const app: Handle = (request, response) => {
        seen.push(Number(request.headers["x-request-timeout-ms"]));
        response.end();
      };
      await bench.serve([app], { requestTimeoutMs: 900 });
      await bench.get();
      await bench.get("/", { headers: { "x-request-timeout-ms": "400" } });
      await bench.get("/", { headers: { "x-request-timeout-ms": "100000" } });
      bench.settings({ requestTimeoutMs: 0 });
      await bench.get("/", { headers: { "x-request-timeout-ms": "300" } });
      assert.deepEqual(seen, [900, 400, 900, 300]);
      bench.settings({});
      let left: unknown = "";
      bench.apps.push(
        await httpApp((request, response) => void ((left = request.headers["x-request-timeout-ms"]), response.end())),
      );
      bench.settings({ timeouts: { ...NO_TIMEOUTS, perTryMs: 700 } });
      for (let count = 0; count < 8; count++) await bench.get();
      assert.equal(left, "700");
    }));

  it("that has passed keeps the request from being sent", () =>
    Bench.with(async (bench) => {
      const app = failing(0, 500);
      await bench.serve([app]);
      const answer = await bench.get("/", { headers: { "x-request-timeout-ms": "0" } });
      assert.deepEqual([answer.status, codeOf(answer)], [504, "RS1078"]);
      assert.equal(app.count, 0);
    }));

  it("ends the work of the next proxy too, and what that work asks for in turn", () =>
    Bench.with(async (bench) => {
      const seen: (string | string[] | undefined)[] = [];
      const stock = await httpApp((request, response) => {
        seen.push(request.headers["x-request-timeout-ms"]);
        response.end("stock");
      });
      let catalog: TestProxy | undefined;
      const app = await httpApp((request, response) => {
        const id = String(request.headers["x-request-id"]);
        const left = request.headers["x-request-timeout-ms"];
        // The application passes its request id on, and nothing of the deadline.
        const asked = fetchVia(catalog?.ports.httpProxy ?? 0, "http://stock/", { headers: { "x-request-id": id } });
        void asked.then(({ body }) => response.end(`${String(left)} ${body}`));
      });
      bench.apps.push(app, stock);
      const ports = [{ port: 8080, applicationPort: app.port }];
      catalog = await bench.mesh.start({ id: "shop/catalog-1", service: "shop/catalog", ports, clock: bench.clock });
      await bench.serve([]);
      bench.mesh.service("shop/stock", {
        ports: [{ port: 80 }],
        endpoints: [plainEndpoint(stock.port, { 80: stock.port })],
      });
      bench.mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
      });
      assert.equal((await bench.get("/", { headers: { "x-request-timeout-ms": "800" } })).body, "800 stock");
      assert.deepEqual(seen, ["800"]);
      assert.equal(catalog.proxy.workloads.get("shop/catalog-1")?.deadlines.size, 0);
      assert.equal((await bench.get()).body, "undefined stock");
      assert.deepEqual(seen, ["800", undefined]);
    }));
});

describe("a re-used connection that breaks before any answer", () => {
  it("costs nothing of the budget, once", () =>
    Bench.with(async (bench) => {
      let connections = 0;
      let requests = 0;
      // Every connection answers once, and breaks off at its second request.
      const app = await tcpApp((socket) => {
        connections++;
        let answered = false;
        socket.on("data", () => {
          requests++;
          if (answered) socket.destroy();
          else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
          answered = true;
        });
      });
      bench.apps.push(app);
      await bench.serve([], { maxRetries: -1, retries: retries({ budgetPercent: 0, budgetMinPerSecond: 0 }) });
      for (let count = 0; count < 5; count++) assert.equal((await bench.get()).body, "ok");
      assert.deepEqual([connections, requests], [5, 9]);
      const posted = await bench.get("/", { method: "POST", body: "x" });
      assert.equal(posted.status, 502);
    }));
});
