// Memory is flat under load: real processes, several tens of thousands of requests, all garbage collected at each look.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { problemsOf, runHeap, trendLine } from "./heap/run.ts";
import { Mesh } from "./mesh.ts";
import { needsProgram } from "./requirements.ts";

const skip =
  needsProgram("h2load", "apt-get install nghttp2-client") ||
  needsProgram("nghttpd", "apt-get install nghttp2-server") ||
  needsProgram("nginx", "apt-get install nginx-light");

describe("the memory of proxies under load", { skip }, () => {
  const mesh = new Mesh();
  before(() => mesh.startControl());
  after(() => mesh.stop());

  it("does not grow with requests, of HTTP/1.1 and HTTP/2, through one proxy and two", async () => {
    const report = await runHeap(mesh, { requests: 80_000, slice: 10_000 });
    assert.deepEqual(problemsOf(report), [], report.trends.map(trendLine).join("\n"));
    assert.equal(report.requests, 80_000);
    assert.deepEqual(
      report.trends.map(({ proxy }) => proxy),
      ["caller", "h1", "h2"],
    );
  });
});
