import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { holdProcess, sleep, systemClock } from "@ripstop/core";
import type { BootstrapUpstream, RegisterRequest, WorkloadStatus } from "@ripstop/model";
import { PatientClock } from "@ripstop/testkit";
import { freePort } from "./free-port.ts";
import { meshHome } from "./mesh-home.ts";
import { WorkloadRun, type RunOptions } from "./run-workload.ts";

const testdata = fileURLToPath(new URL("../testdata/", import.meta.url));
const UPSTREAM: BootstrapUpstream = { host: "stock.shop", port: 0 };

/** A control plane of a few lines: says yes, remembers what it was told. */
class FakeControl extends EventEmitter {
  readonly registered: RegisterRequest[] = [];
  readonly statuses: WorkloadStatus[] = [];
  forget = false;
  refuse = false;
  left = 0;
  readonly server: Server;

  constructor(record: (text: string) => void) {
    super();
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const answer = (status: number, body: unknown): void =>
          void response.writeHead(status).end(JSON.stringify(body));
        const text = Buffer.concat(chunks).toString();
        if (request.url === "/v1/info") return answer(200, { trustDomain: "shop.example" });
        if (request.method === "POST" && request.url === "/v1/workloads") {
          if (this.refuse)
            return answer(422, {
              error: { code: "RS3001", title: "Not valid", message: "no such port", remedy: "Change it." },
            });
          const body = JSON.parse(text) as RegisterRequest;
          this.registered.push(body);
          this.forget = false;
          record("control registered");
          this.emit("registered");
          return answer(200, {
            workloadId: `shop/${body.instance ?? "web-1"}`,
            spiffeId: "spiffe://shop.example/ns/shop/sa/web",
            trustDomain: "shop.example",
            svidChainPem: "CHAIN",
            bundlePem: "BUNDLE",
            controlAddresses: ["127.0.0.1:1"],
            controlIdentity: "spiffe://shop.example/ns/ripstop-system/sa/control",
            leaseMs: 60_000,
          });
        }
        if (request.method === "PUT") {
          if (this.forget)
            return answer(404, { error: { code: "RS3002", title: "Unknown workload", message: "gone", remedy: "" } });
          const status = JSON.parse(text) as WorkloadStatus;
          this.statuses.push(status);
          record(`control ready=${status.ready} at ${status.inboundAddress}`);
          this.emit(status.ready ? "ready" : "unready");
          this.emit("report");
          return answer(200, { leaseMs: 60_000 });
        }
        if (request.method === "DELETE") {
          this.left++;
          record("control left");
          return answer(200, {});
        }
        if (request.method === "POST") {
          record("control svid");
          this.emit("svid");
          return answer(200, {
            svidChainPem: "CHAIN2",
            bundlePem: "BUNDLE2",
            notAfterMs: systemClock.nowMs() + 3_600_000,
          });
        }
        return answer(404, {});
      });
    });
  }
}

describe("WorkloadRun", () => {
  let directory = "";
  let control: FakeControl;
  let hold: { clear(): void };
  const lines: string[] = [];
  const events = (): string[] => readFileSync(join(directory, "events"), "utf8").trim().split("\n");
  /** Processes write what they do: it is there when they have done it, whoever reports what meanwhile. */
  const happened = async (text: string): Promise<void> => {
    while (!events().includes(text)) await sleep(systemClock, 10);
  };
  const record = (text: string): void => appendFileSync(join(directory, "events"), `${text}\n`);

  before(() => {
    hold = holdProcess();
  });
  after(() => hold.clear());
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "ripstop-test-"));
    writeFileSync(join(directory, "events"), "");
    lines.length = 0;
    control = new FakeControl(record);
    control.server.listen(join(directory, "control.sock"));
    await once(control.server, "listening");
  });
  afterEach(() => {
    control.server.close();
    control.server.closeAllConnections();
    rmSync(directory, { recursive: true });
  });

  async function create(change: Partial<RunOptions> = {}, env: NodeJS.ProcessEnv = {}): Promise<WorkloadRun> {
    const options: RunOptions = {
      home: meshHome(directory, {}),
      service: "web",
      namespace: "shop",
      serviceAccount: undefined,
      labels: { version: "v1" },
      port: { port: await freePort(), servicePort: 80, protocol: "http" },
      upstreams: [UPSTREAM],
      metricsPort: undefined,
      proxyWorkers: 1,
      drainMs: 60_000,
      waitTimeoutMs: 120_000,
      command: [process.execPath, join(testdata, "app.mjs")],
      ...change,
    };
    const own = { EVENTS: join(directory, "events"), ...env };
    Object.assign(process.env, { FAKE_PROXY: "" }, own);
    return new WorkloadRun(options, {
      // Children may be slow to start and to end: the graces above a second are none that a test means to reach.
      clock: new PatientClock({ graceTimes: 30 }),
      createKeyAndCsr: (spiffeId) => Promise.resolve({ keyPem: `KEY of ${spiffeId}`, csrPem: "CSR" }),
      proxyCommand: {
        execPath: process.execPath,
        execArgs: [],
        modulePath: join(testdata, "fake-proxy.mjs"),
        args: ["proxy"],
        env: {},
      },
      env: { ...process.env, ...own },
      report: (line) => lines.push(line),
    });
  }

  it("holds the application until the proxy is ready, and leaves in the order that loses nothing", async () => {
    const run = await create();
    const ended = run.run();
    await once(control, "ready");
    const state = join(directory, "run", "shop_web-1");
    assert.equal(statSync(state).mode & 0o777, 0o700);
    assert.equal(statSync(join(state, "shop_web-1.key.pem")).mode & 0o777, 0o600);
    assert.equal(
      readFileSync(join(state, "shop_web-1.key.pem"), "utf8"),
      "KEY of spiffe://shop.example/ns/shop/sa/web",
    );
    run.signal("SIGTERM");
    assert.equal(await ended, 7);
    const seen = events();
    const order = (text: string): number => {
      const at = seen.findIndex((line) => line.startsWith(text));
      assert.notEqual(at, -1, `${text} is missing in ${seen.join(", ")}`);
      return at;
    };
    assert.ok(order("proxy ready") < order("app start http://127.0.0.1:15002 127.0.0.1:16000"));
    assert.ok(order("app start") < order("control ready=true at 127.0.0.1:15001"));
    assert.ok(seen.lastIndexOf("control ready=false at 127.0.0.1:15001") < order("proxy drain"));
    assert.ok(order("control ready=true") < seen.lastIndexOf("control ready=false at 127.0.0.1:15001"));
    assert.ok(order("proxy drain") < order("app SIGTERM"));
    assert.ok(order("app SIGTERM") < order("proxy end"));
    assert.ok(order("proxy end") < order("control left"));
    assert.equal(existsSync(state), false);
  });

  it("hears of the other control planes from its proxy, long before the next heartbeat", async () => {
    const run = await create({}, { FAKE_PROXY: "hears-of-others" });
    const ended = run.run();
    // What it would begin with again is written first.
    await happened("proxy control-addresses");
    const text = readFileSync(join(directory, "run", "shop_web-1", "bootstrap.json"), "utf8");
    const { controlAddresses } = JSON.parse(text) as { controlAddresses: string[] };
    assert.deepEqual(controlAddresses, ["127.0.0.1:1", "127.0.0.1:2"]);
    await happened("app start http://127.0.0.1:15002 127.0.0.1:16000");
    run.signal("SIGTERM");
    await ended;
  });

  it("ends with the exit code of the command, and takes everything down", async () => {
    const run = await create({ port: undefined, command: [process.execPath, "-e", "process.exit(42)"] });
    assert.equal(await run.run(), 42);
    assert.deepEqual(readdirSync(join(directory, "run")), []);
    assert.equal(control.left, 1);
  });

  it("ends with 128 + signal when a signal ended the command", async () => {
    const run = await create({
      port: undefined,
      command: [process.execPath, "-e", "process.kill(process.pid, 'SIGKILL')"],
    });
    assert.equal(await run.run(), 137);
  });

  it("ends with 127 and a sentence when the command does not exist", async () => {
    const run = await create({ command: ["no-such-program-here"] });
    assert.equal(await run.run(), 127);
    assert.match(lines.join("\n"), /"no-such-program-here".*Check the spelling/);
  });

  it("ends with 126 when the command is not executable", async () => {
    const run = await create({ command: [join(testdata, "app.mjs")] });
    assert.equal(await run.run(), 126);
  });

  it("never starts the application when it is ended before the first config", async () => {
    const run = await create({}, { FAKE_PROXY: "never-ready" });
    const ended = run.run();
    await once(control, "unready");
    run.signal("SIGTERM");
    assert.equal(await ended, 143);
    assert.equal(
      events().some((line) => line.startsWith("app start")),
      false,
    );
    assert.equal(control.left, 1);
  });

  it("gives up with 125 when the first config does not come in time", async () => {
    const run = await create({ waitTimeoutMs: 50 }, { FAKE_PROXY: "never-ready" });
    assert.equal(await run.run(), 125);
    assert.match(lines.join("\n"), /RS4006/);
  });

  it("gives up with 125 when the proxy never starts", async () => {
    const run = await create({}, { FAKE_PROXY: "never-starts" });
    assert.equal(await run.run(), 125);
    assert.match(lines.join("\n"), /RS4005.*code 3/);
  });

  it("gives up with 125 and the reason when the registration is refused", async () => {
    control.refuse = true;
    const run = await create();
    assert.equal(await run.run(), 125);
    assert.match(lines.join("\n"), /RS4002.*no such port/);
  });

  it("gives up with 125 when there is no control plane within the time", async () => {
    const run = await create({ home: meshHome(join(directory, "elsewhere"), {}), waitTimeoutMs: 10 });
    assert.equal(await run.run(), 125);
    assert.match(lines.join("\n"), /RS4001.*ripstop up/);
  });

  it("starts a proxy that was killed again while the application goes on", async () => {
    const run = await create({}, { FAKE_PROXY: "dies-once" });
    const ended = run.run();
    await once(control, "ready");
    await happened("proxy start again");
    run.signal("SIGTERM");
    assert.equal(await ended, 7);
    assert.equal(events().filter((line) => line.startsWith("app start")).length, 1);
  });

  it("asks for a new SVID when the current one cannot be read, and tells the proxy", async () => {
    const run = await create();
    const ended = run.run();
    await happened("control svid");
    await happened("control ready=true at 127.0.0.1:15001");
    await happened("proxy identity");
    run.signal("SIGTERM");
    assert.equal(await ended, 7);
  });

  it("registers again under the same id when the control plane forgot it", async () => {
    const run = await create();
    const ended = run.run();
    await once(control, "ready");
    control.forget = true;
    const again = once(control, "registered");
    run.signal("SIGTERM");
    await again;
    assert.equal(control.registered[1]?.instance, "web-1");
    assert.equal(await ended, 7);
  });

  it("kills the application at the second SIGINT", async () => {
    const run = await create({ drainMs: 0 }, { STUBBORN: "1" });
    const ended = run.run();
    await once(control, "ready");
    run.signal("SIGINT");
    await once(control, "unready");
    run.signal("SIGINT");
    assert.equal(await ended, 137);
  });
});
