// The root of a mesh is exchanged under load: no request fails, no connection is closed, and whoever is away is waited for.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Mesh } from "../mesh.ts";
import { Ring } from "./ring.ts";
import { noticed, rotate, rotateWithFrozen } from "./rotate.ts";

const SERVICES = 10;
const RATE = 50;
const FROZEN_S = 4;

describe("a rotation of the root under load", () => {
  const mesh = new Mesh();
  let ring: Ring;

  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "bystander", "--", process.execPath, "--eval", "setInterval(() => {}, 1000)"]);
    ring = await Ring.start(mesh, SERVICES, RATE);
  });
  after(() => mesh.stop());

  const bundle = async (): Promise<string> => (await mesh.command(["identity", "bundle"])).output;

  it("fails no request and closes no connection", async () => {
    const old = await bundle();
    const seen = await noticed(ring, async () => {
      assert.equal((await rotate(mesh)).last?.outcome, "done");
    });
    assert.deepEqual([seen.failed, seen.closed], [0, 0], seen.causes.join("\n"));
    assert.ok(seen.answered > SERVICES && seen.pings > SERVICES, JSON.stringify(seen));
    const now = await bundle();
    assert.notEqual(now, old);
    assert.equal(now.match(/BEGIN CERTIFICATE/g)?.length, 1, "the old root is gone");
  });

  it("waits for a proxy that stands still, and names it", async () => {
    const frozen = (await ring.workloads()).find(({ service }) => service.endsWith("bystander"));
    assert.ok(frozen && frozen.proxyPid > 0);
    const seen = await noticed(ring, async () => {
      const { held, done } = await rotateWithFrozen(mesh, frozen, FROZEN_S);
      assert.ok(held.length >= FROZEN_S);
      for (const { phase, holding } of held) {
        assert.equal(phase, "distribute", "the new root does not sign");
        assert.deepEqual(
          holding.map(({ workloadId }) => workloadId),
          [frozen.id],
        );
        assert.match(holding[0]?.reason ?? "", /its proxy (has not acknowledged|is not connected)/);
      }
      assert.deepEqual(done.last?.forced, []);
    });
    assert.deepEqual([seen.failed, seen.closed], [0, 0], seen.causes.join("\n"));
  });
});
