// The data plane does not need the control plane: not for traffic, not for the restart of a proxy.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";

interface WorkloadRow {
  readonly id: string;
  readonly service: string;
  readonly proxyPid: number;
  readonly proxyConnected: boolean;
}

describe("with the control plane away", () => {
  const mesh = new Mesh();
  let client: MeshClient;

  const workloads = async (): Promise<WorkloadRow[]> =>
    (JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: WorkloadRow[] }).workloads;
  const statuses = async (count: number): Promise<Map<number, number>> => {
    const seen = new Map<number, number>();
    for (let at = 0; at < count; at++) {
      const { status } = await client.send("http://echo/");
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
    return seen;
  };
  const counter = async (name: string): Promise<number> => {
    const text = (await mesh.api("GET", "/metrics")).body;
    return text
      .split("\n")
      .filter((line) => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  };

  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    client = await MeshClient.start(mesh, "caller");
    await mesh.until("echo answers", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
  });
  after(() => mesh.stop());

  it("fails no request when it is killed under traffic", async () => {
    const traffic = statuses(400);
    mesh.control?.child.kill("SIGKILL");
    await mesh.control?.ended;
    assert.deepEqual(await traffic, new Map([[200, 400]]));
    assert.deepEqual(await statuses(100), new Map([[200, 100]]));
  });

  it("resumes the streams when it is back, and sends nothing that the proxies already have", async () => {
    await mesh.startControl();
    const rows = await mesh.until("both proxies are connected again", async () => {
      const found = await workloads();
      return found.length === 2 && found.every((row) => row.proxyConnected) ? found : undefined;
    });
    assert.equal(rows.length, 2);
    assert.deepEqual(await statuses(50), new Map([[200, 50]]));
    await mesh.until("the proxies have named what they have", async () =>
      (await counter("ripstop_config_resources_resumed_total")) > 0 ? true : undefined,
    );
    assert.equal(await counter("ripstop_config_resources_sent_total"), 0);
  });

  it("lets a killed proxy come back with its last good config", async () => {
    const echo = await mesh.until("the proxy of echo has reported", async () =>
      (await workloads()).find((row) => row.service.endsWith("echo") && row.proxyPid > 0),
    );
    mesh.control?.child.kill("SIGKILL");
    await mesh.control?.ended;
    process.kill(echo.proxyPid, "SIGKILL");
    await mesh.until("echo answers again", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
    assert.deepEqual(await statuses(100), new Map([[200, 100]]));
  });
});
