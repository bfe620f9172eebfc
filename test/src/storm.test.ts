// Retries with a budget and without, in real processes; `npm run retry-storm` is the large one. What is asserted are counts:
// how many requests arrive for those that were asked.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Mesh } from "./mesh.ts";
import { phaseOf, runStorm, type Phase } from "./storm/run.ts";

/** What the bucket may hold at the start of a phase; and what time adds to it, where requests earn less. */
const RESERVE = 30;
const MIN_PER_SECOND = 3;

describe("a service that fails half of what it is asked", () => {
  const mesh = new Mesh();
  const failingWith = async (name: string, budgetPercent: number): Promise<Phase> => {
    const requests = [40, 400, 40] as const;
    const load = { atATime: 2, workMs: 20, utilization: 0.8, requests, onProgress: () => undefined };
    return phaseOf(await runStorm(mesh, name, { ...load, budgetPercent }), "failing");
  };

  before(() => mesh.startControl());
  after(() => mesh.stop());

  it("gets no more than the budget on top of its load", async () => {
    const { asked, arrived, seconds } = await failingWith("with-budget", 20);
    const most = asked * 1.2 + RESERVE + seconds * MIN_PER_SECOND;
    assert.ok(arrived > asked && arrived <= most, `${asked} asked, ${arrived} arrived in ${seconds} s`);
  });

  it("gets a storm when the budget is taken away", async () => {
    const { asked, arrived } = await failingWith("budget-off", 1000);
    assert.ok(arrived > asked * 1.5, `${asked} asked, ${arrived} arrived`);
  });
});
