// What the long runs call wrong: a run that sees a leak or sees nothing at all must not pass.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemsOf as heapProblems, trendsOf, type HeapSample } from "./heap/run.ts";
import { problemsOf as integrityProblems, type IntegrityReport } from "./integrity/run.ts";

const MB = 1024 * 1024;

function samples(
  perSlice: Partial<Record<"heapUsed" | "external" | "resident" | "files" | "timers", number>>,
): HeapSample[] {
  const { heapUsed = 0, external = 0, resident = 0, files = 0, timers = 0 } = perSlice;
  return Array.from({ length: 20 }, (_, at) => ({
    requests: at * 1000,
    proxy: "caller",
    // Warming up is no leak, and a little noise neither.
    heapUsed: 8 * MB + (at === 0 ? -3 * MB : 0) + at * heapUsed + (at % 3) * 20_000,
    external: 3 * MB + at * external,
    arrayBuffers: 0,
    resident: 60 * MB + at * resident,
    files: 30 + at * files,
    // Pools grow and shrink: that is no leak.
    kept: at % 7,
    resources: { Timeout: 8 + at * timers, TCPSocketWrap: at % 7 },
  }));
}

const heap = (perSlice: Parameters<typeof samples>[0], failed = 0): readonly string[] => {
  const taken = samples(perSlice);
  return heapProblems({ samples: taken, trends: trendsOf(taken), requests: 19_000, failed, seconds: 1 });
};

describe("the run that looks at memory", () => {
  it("passes what is flat but for its warming up", () => assert.deepEqual(heap({}), []));

  it("fails on heap, buffers, resident memory, files and handles that grow, and on requests that fail", () => {
    assert.match(heap({ heapUsed: MB / 8 }).join(), /^the heap of caller grew by 2\.\d+ MB$/);
    assert.match(heap({ external: MB / 8 }).join(), /^the heap of caller grew/);
    assert.match(heap({ resident: MB }).join(), /^caller grew by 17\.00 MB resident$/);
    assert.match(heap({ files: 1 }).join(), /^caller has 9 more files$/);
    assert.match(heap({ timers: 1 }).join(), /^caller has 9 more handles$/);
    assert.deepEqual(heap({}, 3), ["3 requests failed"]);
  });

  it("fails when it saw nothing", () => {
    const empty = { samples: [], trends: trendsOf([]), requests: 0, failed: 0, seconds: 0 };
    assert.deepEqual(heapProblems(empty), ["no proxy was looked at"]);
  });
});

describe("the integrity run", () => {
  const clean: IntegrityReport = {
    requests: 1,
    bytes: 1,
    kinds: {},
    wrong: [],
    leftovers: [
      {
        workload: "default/h1",
        exchanges: 0,
        tunnels: 0,
        clientConnections: 0,
        activeOrWaiting: 0,
        pooled: 3,
        peers: 1,
        files: 26,
        transport: "raw",
        residentMb: 80,
      },
    ],
    growth: [{ workload: "default/h1", heapBytes: MB, externalBytes: MB, files: 0, handles: 0 }],
    seconds: 1,
  };
  const grown = (growth: Partial<IntegrityReport["growth"][number]>): readonly string[] =>
    integrityProblems({ ...clean, growth: clean.growth.map((one) => ({ ...one, ...growth })) });

  it("passes when every byte arrived and nothing is left", () => assert.deepEqual(integrityProblems(clean), []));

  it("fails on a wrong byte, on what is left, and on what grew", () => {
    assert.deepEqual(integrityProblems({ ...clean, wrong: ["one"] }), ["one"]);
    const left = clean.leftovers.map((one) => ({ ...one, tunnels: 1 }));
    assert.match(integrityProblems({ ...clean, leftovers: left }).join(), /^something is left: .*"tunnels":1/);
    assert.match(grown({ externalBytes: 4 * MB }).join(), /holds 5\.0 MB more/);
    assert.match(grown({ files: 5 }).join(), /5 more files/);
    assert.match(grown({ handles: 5 }).join(), /5 more handles/);
  });

  it("fails when a proxy was not looked at", () => {
    assert.deepEqual(integrityProblems({ ...clean, growth: [] }), ["not every proxy was looked at"]);
    assert.deepEqual(integrityProblems({ ...clean, growth: [], leftovers: [] }), ["not every proxy was looked at"]);
  });
});
