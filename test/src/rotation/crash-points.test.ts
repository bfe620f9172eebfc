// The control plane is killed at every step of a rotation of the root: the mesh goes on talking, over old connections and
// over new ones, and the rotation goes on when the control plane is back.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { MeshClient } from "../http-client.ts";
import { Mesh } from "../mesh.ts";
import { Ring } from "./ring.ts";
import { noticed, rotationStatus, type Rotation } from "./rotate.ts";

/** In the order in which rotations meet them; what a restart skips is met by a rotation of its own. */
const POINTS: readonly string[] = [
  ...["root-key", "root-logged", "root-written", "before-distribute", "committed-distribute", "gate-distribute"],
  ...["intermediate-key", "intermediate-logged", "intermediate-written", "before-move", "committed-move"],
  ...["renewal-asked", "gate-move", "before-withdraw", "committed-withdraw", "gate-withdraw", "before-done"],
  ...["committed-done", "told-distribute", "told-move", "told-withdraw", "told-done", "old-root-destroyed"],
];

/** All of them take four minutes; the suite takes one of each kind. */
const chosen = process.env["RIPSTOP_ALL_CRASH_POINTS"] === "1" ? POINTS : POINTS.filter((_, index) => index % 4 === 2);

describe("a control plane that is killed in a rotation of the root", () => {
  const mesh = new Mesh();
  let ring: Ring;
  let stranger: MeshClient;

  before(async () => {
    await mesh.startControl();
    stranger = await MeshClient.start(mesh, "stranger");
    ring = await Ring.start(mesh, 3, 30);
    // From now on its proxy has on its disk what it must know of m0.
    await mesh.until("the stranger knows m0", async () =>
      (await stranger.send("http://m0/")).status === 200 ? true : undefined,
    );
  });
  after(() => mesh.stop());

  const proxyOf = async (service: string): Promise<number> => {
    const row = (await ring.workloads()).find((one) => one.service.endsWith(service));
    assert.ok(row && row.proxyPid > 0, service);
    return row.proxyPid;
  };

  const untilIdle = (): Promise<Rotation> =>
    mesh.until("no rotation is under way", async () => {
      const status = await rotationStatus(mesh);
      return status.phase === "idle" ? status : undefined;
    });

  assert.ok(POINTS.length >= 20);
  for (const point of chosen) {
    it(`at ${point}: everyone goes on talking`, { timeout: 150_000 }, async () => {
      const proxyPid = await mesh.until("the stranger's proxy is connected", async () => {
        const row = (await ring.workloads()).find((one) => one.service.endsWith("stranger"));
        return row?.proxyConnected === true && row.proxyPid > 0 ? await proxyOf("stranger") : undefined;
      });
      const seen = await noticed(ring, async () => {
        mesh.control?.child.kill("SIGKILL");
        await mesh.control?.ended;
        // It may be killed before it answers: what it did is looked at afterwards.
        await mesh.startControl([], { RIPSTOP_TEST_KILL_AT: point }).catch(() => undefined);
        await mesh.until(`the control plane dies at ${point}`, async () => {
          if (mesh.control?.child.signalCode === "SIGKILL") return true;
          // A rotation that is past the point ends, and the next one meets it.
          const status = await rotationStatus(mesh).catch(() => undefined);
          if (status?.phase === "idle") await mesh.api("POST", "/v1/identity/rotation", {}).catch(() => undefined);
          return undefined;
        });
        // A proxy that begins anew has only what lies on its disk, and makes new connections with that.
        process.kill(proxyPid, "SIGKILL");
        await mesh.until("a new connection is taken", async () =>
          (await stranger.send("http://m0/")).status === 200 ? true : undefined,
        );
      });
      assert.equal(seen.failed, 0, seen.causes.join("\n"));
      assert.ok(seen.answered > 0);
      await mesh.startControl();
    });
  }

  it("finishes the rotation when it is back, and another one after it", async () => {
    await untilIdle();
    await mesh.api("POST", "/v1/identity/rotation", {});
    const seen = await noticed(ring, async () => {
      assert.equal((await untilIdle()).last?.outcome, "done");
    });
    assert.deepEqual([seen.failed, seen.closed], [0, 0], seen.causes.join("\n"));
    const { output } = await mesh.command(["identity", "bundle"]);
    assert.equal(output.match(/BEGIN CERTIFICATE/g)?.length, 1);
    assert.equal((await stranger.send("http://m1/")).status, 200);
  });
});
