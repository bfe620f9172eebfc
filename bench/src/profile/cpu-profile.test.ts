// Profiles made by hand, with known shares.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { summarizeProfiles, type CpuProfile } from "./cpu-profile.ts";

function profile(samples: readonly (readonly [functionName: string, url: string, us: number])[]): CpuProfile {
  const nodes = samples.map(([functionName, url], at) => ({
    id: at + 1,
    callFrame: { functionName, url, lineNumber: 0, columnNumber: 0 },
  }));
  const start = {
    id: 0,
    callFrame: { functionName: "boot", url: "node:internal/boot", lineNumber: 0, columnNumber: 0 },
  };
  return {
    nodes: [start, ...nodes],
    startTime: 0,
    samples: [0, ...nodes.map(({ id }) => id)],
    timeDeltas: [1_499_999, ...samples.map(([, , us]) => us)],
  };
}

describe("CPU profile summary", () => {
  it("gives each group its share of the busy time, without idle time and start", () => {
    const summary = summarizeProfiles(
      [
        profile([
          ["parse", "file:///x/packages/http1/src/parser.ts", 300],
          ["writeBuffer", "", 600],
          ["(idle)", "", 5000],
          ["(garbage collector)", "", 100],
        ]),
      ],
      (url) => url,
    );
    assert.deepEqual(
      summary.groups.map(({ name, share }) => [name, Math.round(share * 100)]),
      [
        ["native code and kernel: writing", 60],
        ["http1", 30],
        ["garbage collection", 10],
      ],
    );
    assert.equal(summary.functions[1]?.name, "parse (parser.ts)");
  });

  it("names the pipeline phase inside the proxy engine", () => {
    const summary = summarizeProfiles(
      [profile([["route", "file:///x/packages/proxy-engine/src/4-route/host-table.ts", 10]])],
      (url) => url,
    );
    assert.equal(summary.groups[0]?.name, "proxy-engine 4-route");
  });
});
