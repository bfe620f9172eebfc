// A mesh whose root expired while the control plane was off: one command brings it back, and no application is restarted.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { MeshClient } from "../http-client.ts";
import { Mesh } from "../mesh.ts";

/** Answers with its process id. As source for `node --eval`. */
const pidServer = `
require("node:http").createServer((request, response) => response.end(String(process.pid))).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

interface Health {
  readonly state: string;
  readonly roots: readonly { readonly notAfterMs: number }[];
  readonly alarms: readonly { readonly type: string; readonly message: string }[];
}

describe("a mesh whose root has expired", () => {
  const mesh = new Mesh();
  let client: MeshClient;
  let pid = "";

  const health = async (): Promise<Health> => JSON.parse((await mesh.api("GET", "/v1/identity/health")).body) as Health;
  const status = async (): Promise<number> => (await client.send("http://pid/")).status;
  /** Of both proxies; a process id is known once the proxy has reported. */
  const proxyPids = (): Promise<readonly number[]> =>
    mesh.until("both proxies have reported", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { readonly proxyPid: number }[];
      };
      const pids = workloads.map(({ proxyPid }) => proxyPid).filter((one) => one > 0);
      return pids.length === 2 ? pids : undefined;
    });

  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "pid", "--port", "auto", "--", process.execPath, "--eval", pidServer]);
    client = await MeshClient.start(mesh, "caller");
    await mesh.until("the service answers", async () => ((await status()) === 200 ? true : undefined));
    pid = (await client.send("http://pid/")).body;
    // However long all that took: from here on the root lives for half a minute.
    mesh.control?.child.kill("SIGTERM");
    await mesh.control?.ended;
    await mesh.startControl(["--root-lifetime", "30s", "--svid-ttl", "10s"]);
    const forced = await mesh.command(["identity", "recover", "--force"]);
    assert.equal(forced.code, 0, forced.output);
  });
  after(() => mesh.stop());

  it("warns before, and takes no new connection after", async () => {
    const { roots } = await health();
    await mesh.until("there is a warning", async () =>
      (await health()).alarms.some(({ type }) => type === "RootExpiring") ? true : undefined,
    );
    const pids = await proxyPids();
    mesh.control?.child.kill("SIGKILL");
    await mesh.control?.ended;
    await mesh.until("the root has expired", () => (Date.now() > (roots[0]?.notAfterMs ?? 0) ? true : undefined));
    for (const one of pids) process.kill(one, "SIGKILL");
    await mesh.until("new connections are refused", async () => ((await status()) === 200 ? undefined : true));
  });

  it("starts all the same, and says what to do", async () => {
    await mesh.startControl();
    const { state, alarms } = await health();
    assert.equal(state, "degraded");
    assert.match(alarms.find(({ type }) => type === "RootExpired")?.message ?? "", /ripstop identity recover/);
    const events = (await mesh.api("GET", "/v1/events")).body;
    assert.match(events, /"type":"RootExpired"/);
    assert.notEqual(await status(), 200);
    const refused = await mesh.command(["identity", "rotate-root"]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /RS2011/);
  });

  it("comes back with one command, with the same processes", async () => {
    const { code, output } = await mesh.command(["identity", "recover"]);
    assert.equal(code, 0, output);
    assert.match(output, /a new root signs/);
    const answer = await mesh.until("the service answers again", async () => {
      const got = await client.send("http://pid/");
      return got.status === 200 ? got : undefined;
    });
    assert.equal(answer.body, pid, "the application was not restarted");
    assert.equal((await health()).state, "healthy");
    await mesh.until("no alarm is left", async () => ((await health()).alarms.length === 0 ? true : undefined));
    const again = await mesh.command(["identity", "recover"]);
    assert.notEqual(again.code, 0);
    assert.match(again.output, /RS2014/);
  });
});
