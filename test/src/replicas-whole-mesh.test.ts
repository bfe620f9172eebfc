// Two control planes on a real etcd, asked through the command line: each speaks for the whole mesh; hosts that know
// several of them, or heard of them, go on with the one that is left.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import type { ControlInfo, EventPage, ProxyList, WorkloadList } from "@ripstop/model";

import { Etcd } from "./replicas/etcd.ts";
import { Replica } from "./replicas/replica.ts";
import { needsProgram } from "./requirements.ts";
import { ProtoClient, type X509SvidResponseMessage } from "./spiffe-clients.ts";

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

/** One: with more, control planes ask proxies to move while the test looks. */
const PROXIES = 1;
const WAITS: readonly string[] = ["--wait", "--timeout", "60s"];

const policy = (name: string): string =>
  `apiVersion: ripstop.mesh/v1alpha1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: shop}
spec: {rules: [{from: [{namespaces: [shop]}]}]}
`;

describe("two control planes", { skip: needsProgram("etcd", "apt-get install etcd-server"), timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-whole-"));
  let etcd: Etcd;
  let left: Replica;
  let right: Replica;
  /** An address at which somebody takes connections and no more. */
  let dead: Server;
  let joins: string;
  let leftId: string;

  before(async () => {
    etcd = await Etcd.start("127.0.0.1");
    const keyFile = join(folder, "authority.key");
    writeFileSync(keyFile, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    [left, right] = [
      new Replica("left", { etcd: etcd.endpoint, keyFile }),
      new Replica("right", { etcd: etcd.endpoint, keyFile }),
    ];
    dead = createServer((socket) => socket.destroy());
    dead.listen(0, "127.0.0.1");
    await once(dead, "listening");
    await left.start();
    const info = async (): Promise<ControlInfo> =>
      JSON.parse((await left.mesh.api("GET", "/v1/info")).body) as ControlInfo;
    // oxlint-disable-next-line no-await-in-loop -- asked again, until it has announced itself
    while ((await info()).replicas?.length !== 1) await pause();
    const { joinAddress, replicas } = await info();
    leftId = replicas?.[0]?.id ?? "";
    joins = `127.0.0.1:${(dead.address() as AddressInfo).port},${joinAddress}`;
  });

  after(async () => {
    await Promise.all([left.mesh.stop(), right.mesh.stop()]);
    await etcd.close();
    dead.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function token(name: string, args: readonly string[]): Promise<string> {
    const made = await left.mesh.command(["token", "create", ...args, "-o", "json"]);
    assert.equal(made.code, 0, made.output);
    const file = join(folder, `${name}.token`);
    writeFileSync(file, (JSON.parse(made.output) as { token: string }).token, { mode: 0o600 });
    return file;
  }

  /** Asks until all proxies are connected somewhere and all control planes have answered. */
  async function wholeMesh(replica: Replica): Promise<ProxyList> {
    for (;;) {
      // oxlint-disable no-await-in-loop -- asked again; the test has a limit
      const answer = await replica.api("GET", "/v1/proxies");
      const list = JSON.parse(answer?.body ?? '{"proxies":[]}') as ProxyList;
      if (list.unknown === undefined && list.proxies.filter(({ synced }) => synced).length === PROXIES) return list;
      await pause();
      // oxlint-enable no-await-in-loop
    }
  }

  it("let a host join whichever of the named answers", async () => {
    const file = await token("web", ["--namespace", "shop", "--service-account", "web"]);
    const app = [process.execPath, "--eval", "console.log('it runs'); process.stdin.resume()"];
    const joining = ["--join", joins, "--token-file", file, "--namespace", "shop", "--service", "web"];
    const web = left.mesh.ripstop(["run", ...joining, "--", ...app], { RIPSTOP_HOME: join(folder, "host") });
    await web.printed(/it runs/);
    assert.equal((await wholeMesh(left)).proxies.length, PROXIES);
  });

  it("speak for the proxies of the other one, in status, check and apply --wait", async () => {
    await right.start();
    const list = await wholeMesh(right);
    assert.deepEqual(
      list.proxies.map(({ identity, replica }) => [identity, replica]),
      [["spiffe://mesh.local/ns/shop/sa/web", leftId]],
    );
    const { output } = await right.mesh.command(["status"]);
    assert.match(output, /, 1 proxies connected$/m);
    assert.match(output, / synced$/m);
    assert.match((await right.mesh.command(["check"])).output, /1 of 1 connected proxies have acknowledged everything/);
    // The proxy reports to the other one: its process is known here all the same, and so is what happened there.
    for (;;) {
      // oxlint-disable no-await-in-loop -- asked again; the test has a limit
      const [workloads, events] = await Promise.all([
        right.api("GET", "/v1/workloads"),
        right.api("GET", "/v1/events"),
      ]);
      const { workloads: rows } = JSON.parse(workloads?.body ?? '{"workloads":[]}') as WorkloadList;
      const { events: happened } = JSON.parse(events?.body ?? '{"events":[]}') as EventPage;
      if ((rows[0]?.proxyPid ?? 0) > 0 && happened.some(({ replica }) => replica === leftId)) break;
      await pause();
      // oxlint-enable no-await-in-loop
    }
    const applied = await right.mesh.command(["apply", "-f", "-", ...WAITS], policy("first"));
    assert.equal(applied.code, 0, applied.output);
    assert.match(applied.output, /^live on 1 of 1 proxies after [0-9]+ ms$/m);
  });

  it("let agent, workloads and commands go on with the one that is left", async () => {
    const file = await token("edge-1", ["--node", "edge-1"]);
    const home = join(folder, "edge");
    const agent = left.mesh.ripstop(["agent", "--join", joins, "--name", "edge-1", "--token-file", file], {
      RIPSTOP_HOME: home,
    });
    const [, endpoint = ""] = await agent.printed(/^SPIFFE_ENDPOINT_SOCKET=(\S+)$/m);
    // It has heard of the other one.
    const heard = (): number =>
      (JSON.parse(readFileSync(join(home, "agent", "node.json"), "utf8")) as { joins?: string[] }).joins?.length ?? 0;
    // And so has the supervisor of the proxy: it tells the proxy, and writes down what a new process would begin with.
    const run = join(folder, "host", "run");
    const supervisorHeard = (): number =>
      readdirSync(run).reduce((most, one) => {
        const text = readFileSync(join(run, one, "bootstrap.json"), "utf8");
        const { controlAddresses } = JSON.parse(text) as { controlAddresses: string[] };
        return Math.max(most, controlAddresses.length);
      }, 0);
    // oxlint-disable-next-line no-await-in-loop -- looked at again; the test has a limit
    while (heard() < 2 || supervisorHeard() < 2) await pause();
    await left.kill();
    const entry = `apiVersion: ripstop.mesh/v1alpha1
kind: WorkloadIdentity
metadata: {name: late, namespace: shop}
spec: {nodes: [edge-1], process: {executable: ${realpathSync(process.execPath)}}}
`;
    const [list] = await Promise.all([wholeMesh(right), right.mesh.command(["apply", "-f", "-"], entry)]);
    assert.ok(list.proxies.every(({ replica }) => replica !== leftId));
    const applied = await right.mesh.command(["apply", "-f", "-", ...WAITS], policy("second"));
    assert.equal(applied.code, 0, applied.output);
    assert.match(applied.output, /^live on 1 of 1 proxies after /m);
    const client = new ProtoClient(endpoint);
    // It looks for entries every few seconds; until then the process has no identity, and is told so.
    let ids: readonly string[] | undefined;
    while (ids === undefined) {
      const stream = client.stream<X509SvidResponseMessage>("FetchX509SVID");
      // oxlint-disable no-await-in-loop -- asked again
      ids = await stream.next().then(
        ({ svids }) => svids.map(({ spiffeId }) => spiffeId),
        () => undefined,
      );
      stream.cancel();
      await pause();
      // oxlint-enable no-await-in-loop
    }
    assert.deepEqual(ids, ["spiffe://mesh.local/ns/shop/sa/late"]);
    client.close();
  });
});
