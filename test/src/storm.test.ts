// Retries with a budget and without, in real processes; `npm run retry-storm` is the large one. What is asserted are counts:
// how many requests arrive for those that were asked.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Mesh } from "./mesh.ts";
import { phaseOf, runStorm, type Phase } from "./storm/run.ts";

/** What the bucket holds at its start, and requests at work when a phase ends. */
const RESERVE = 60;

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
    const { asked, arrived } = await failingWith("with-budget", 20);
    assert.ok(arrived > asked && arrived <= asked * 1.2 + RESERVE, `${asked} asked, ${arrived} arrived`);
  });

  it("gets a storm when the budget is taken away", async () => {
    const { asked, arrived } = await failingWith("budget-off", 1000);
    assert.ok(arrived > asked * 1.2 + RESERVE, `${asked} asked, ${arrived} arrived`);
  });
});
