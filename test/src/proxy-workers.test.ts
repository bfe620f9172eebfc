// Several processes behind the ports of one proxy: they share the work, stand in for each other, and give way to new ones
// without a failed request.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { isGone, isStopped } from "./process-state.ts";
import { echoServer } from "./programs.ts";

interface WorkloadRow {
  readonly id: string;
  readonly service: string;
  readonly proxyConnected: boolean;
}

interface Config {
  readonly ports: { readonly workloads: Readonly<Record<string, { readonly httpProxy: number }>> };
  readonly workers: readonly number[];
}

describe("the processes of a proxy", () => {
  const mesh = new Mesh();
  let client: MeshClient;
  let callerId = "";
  let echoId = "";

  const show = async (id: string): Promise<Config> => {
    const { code, output } = await mesh.command(["proxy", "show", id, "config", "-o", "json"]);
    assert.equal(code, 0, output);
    return JSON.parse(output) as Config;
  };
  const workers = (id: string, count: number): Promise<readonly number[]> =>
    mesh.until(`${id} has ${count} workers`, async () => {
      const found = (await show(id)).workers;
      return found.length === count ? found : undefined;
    });
  /** A request on a connection of its own. */
  const askAnew = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { agent: false, host: "127.0.0.1", port, path: "http://echo/", headers: { host: "echo" } },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        },
      );
      outgoing.on("error", reject);
      outgoing.end();
    });
  const portOf = async (id: string): Promise<number> => (await show(id)).ports.workloads[id]?.httpProxy ?? 0;

  before(async () => {
    await mesh.startControl();
    const run = ["run", "--service", "echo", "--port", "auto", "--drain", "20s", "--proxy-workers", "2"];
    mesh.ripstop([...run, "--", process.execPath, "--eval", echoServer]);
    client = await MeshClient.start(mesh, "caller", ["--proxy-workers", "2", "--drain", "20s"]);
    await mesh.until("echo answers", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
    const rows = (JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: WorkloadRow[] }).workloads;
    callerId = rows.find(({ service }) => service === "caller")?.id ?? "";
    echoId = rows.find(({ service }) => service === "echo")?.id ?? "";
  });
  after(() => mesh.stop());

  it("serve the same port, each for itself", async () => {
    const port = await portOf(callerId);
    const both = await workers(callerId, 2);
    for (const stopped of both) {
      process.kill(stopped, "SIGSTOP");
      try {
        await mesh.until("it stands still", () => (isStopped(stopped) ? true : undefined));
        await mesh.until("the other one knows that echo is ready", async () =>
          (await askAnew(port)) === 200 ? true : undefined,
        );
        // Only the other one can answer; a connection that the stopped one took before it stopped is not among these.
        for (let at = 0; at < 20; at++) assert.equal(await askAnew(port), 200);
      } finally {
        process.kill(stopped, "SIGCONT");
      }
    }
  });

  it("report as one: metrics add up, and the control plane counts one proxy", async () => {
    await workers(callerId, 2);
    await mesh.until("two proxies are connected", async () => {
      const info = JSON.parse((await mesh.api("GET", "/v1/info")).body) as { readonly proxies: number };
      return info.proxies === 2 ? true : undefined;
    });
    const total = async (): Promise<number> => {
      const { output } = await mesh.command(["proxy", "show", callerId, "metrics"]);
      return output
        .split("\n")
        .filter((line) => line.startsWith("ripstop_requests_total{"))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    };
    const port = await portOf(callerId);
    const first = await total();
    for (let at = 0; at < 30; at++) assert.equal(await askAnew(port), 200);
    assert.equal(await total(), first + 30);
  });

  it("hear about an applied change all together", async () => {
    const policy =
      "apiVersion: v1\nkind: Service\nmetadata:\n  name: alias\nspec:\n  selector:\n    app: none\n  ports:\n    - port: 80\n";
    const { code, output } = await mesh.command(["apply", "--wait", "--timeout", "2m", "-f", "-"], policy);
    assert.equal(code, 0, output);
  });

  it("stand in for one that is killed, the lead included, and are two again", async () => {
    const port = await portOf(echoId);
    const [lead = 0] = await workers(callerId, 2);
    assert.ok(lead > 0);
    const callerPort = await portOf(callerId);
    process.kill(lead, "SIGKILL");
    await mesh.until("it is gone", () => (isGone(lead) ? true : undefined));
    for (let at = 0; at < 20; at++) assert.equal(await askAnew(callerPort), 200);
    const now = await mesh.until("two workers again, with a new lead", async () => {
      const { code, output } = await mesh.command(["proxy", "show", callerId, "config", "-o", "json"]);
      if (code !== 0) return undefined;
      const found = (JSON.parse(output) as Config).workers;
      return found.length === 2 && !found.includes(lead) ? found : undefined;
    });
    assert.equal(now.length, 2);
    assert.equal(await portOf(callerId), callerPort);
    assert.ok(port > 0);
  });

  it("give way to new ones under constant load without a failed request, on the caller's and on the called side", async () => {
    const before = [...(await workers(callerId, 2)), ...(await workers(echoId, 2))];
    const port = await portOf(callerId);
    let isOver = false;
    const seen = new Map<string, number>();
    const load = async (ask: () => Promise<number>): Promise<void> => {
      while (!isOver) {
        const answer = String(await ask().catch((cause: unknown) => String(cause)));
        seen.set(answer, (seen.get(answer) ?? 0) + 1);
      }
    };
    const loops = [
      ...Array.from({ length: 4 }, () => load(async () => (await client.send("http://echo/")).status)),
      ...Array.from({ length: 2 }, () => load(() => askAnew(port))),
    ];
    try {
      for (const id of [callerId, echoId]) {
        const { code, output } = await mesh.command(["proxy", "restart", id]);
        assert.equal(code, 0, output);
        assert.match(output, /has taken over/);
      }
      // The load goes on until the old ones have ended.
      await mesh.until("the replaced processes have ended", () => (before.every(isGone) ? true : undefined));
    } finally {
      isOver = true;
    }
    await Promise.all(loops);
    assert.deepEqual([...seen.keys()], ["200"], JSON.stringify([...seen]));
    assert.equal(await portOf(callerId), port);
  });
});

describe("a proxy of one process", () => {
  const mesh = new Mesh();
  after(() => mesh.stop());

  it("keeps connections waiting instead of refusing them while it is killed and started again", async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    const client = await MeshClient.start(mesh, "caller");
    await mesh.until("echo answers", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
    const pid = await mesh.until("the caller's proxy has reported its process id", async () => {
      const rows = (
        JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
          workloads: (WorkloadRow & { readonly proxyPid: number })[];
        }
      ).workloads;
      return rows.find(({ service, proxyPid }) => service === "caller" && proxyPid > 0)?.proxyPid;
    });
    process.kill(pid, "SIGKILL");
    await mesh.until("it is gone", () => {
      try {
        process.kill(pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
    const { status, body } = await client.send("http://echo/", { headers: { connection: "close" } });
    assert.notEqual(status, 0, body);
    // What the process before it had not written to its disk yet comes with the stream.
    await mesh.until("echo answers again", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
  });
});
