// A few conformance cases of each kind against real processes, so that the suite and what it shows hold on every change. All of
// them: `npm run conformance`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { allCases } from "./conformance/cases/index.ts";
import { runCases } from "./conformance/run.ts";
import { startTarget } from "./conformance/target.ts";

const CHOSEN: readonly string[] = [
  "exact-path",
  "redirect-path",
  "request-headers",
  "grpc-exact-method",
  "backend-h2c",
  "listener-set-http",
  "manual-endpoints",
  "backend-tls",
  "backend-tls-no-ca",
  "unusable-address",
  "tls-terminate",
  "mesh-basic",
  "mesh-frontend-hostname",
  "infrastructure",
];

describe("conformance to the Gateway API", () => {
  it("holds in a few cases of each kind", async () => {
    const cases = allCases.filter(({ name }) => CHOSEN.includes(name));
    assert.deepEqual(cases.map(({ name }) => name).sort(), [...CHOSEN].sort());
    const target = await startTarget(cases);
    try {
      const said: string[] = [];
      const options = {
        trafficOnly: false,
        patienceMs: 60_000,
        atOnce: 3,
        say: (line: string) => void said.push(line),
      };
      const outcomes = await runCases(cases, target, options);
      assert.deepEqual(
        outcomes.filter(({ result }) => result !== "passed").map(({ name }) => name),
        [],
        said.join("\n"),
      );
    } finally {
      await target.stop();
    }
  });
});
