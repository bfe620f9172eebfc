import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMetricRegistry } from "./registry.ts";
import { sumMetrics } from "./sum-metrics.ts";

describe("sumMetrics", () => {
  it("adds counters, gauges and histograms of several registries by name and labels", () => {
    const pages = [1, 2, 3].map((worker) => {
      const registry = createMetricRegistry();
      registry.counter("a_total", "A.", { path: 'x "y" z' }).add(worker);
      if (worker > 1) registry.counter("a_total", "A.", { path: "only some" }).add(10);
      registry.gauge("open", "Open.").set(worker);
      registry.histogram("took_ms", "Took.").record(worker);
      return registry.render();
    });
    const text = sumMetrics(pages);
    assert.match(text, /^a_total\{path="x \\"y\\" z"\} 6$/m);
    assert.match(text, /^a_total\{path="only some"\} 20$/m);
    assert.match(text, /^open 6$/m);
    assert.match(text, /^took_ms_bucket\{le="\+Inf"\} 3$/m);
    assert.match(text, /^took_ms_sum 6$/m);
    assert.match(text, /^took_ms_count 3$/m);
    assert.equal(text.match(/^# TYPE a_total counter$/gm)?.length, 1);
    assert.equal(text.match(/^# HELP a_total A\.$/gm)?.length, 1);
  });

  it("keeps the largest of values that describe the process", () => {
    const pages = [5, 9].map((expiry) => {
      const registry = createMetricRegistry();
      registry.gauge("build_info", "Build.", { version: "1" }).set(1);
      registry.gauge("svid_expiry_seconds", "Expiry.").set(expiry);
      return registry.render();
    });
    assert.match(sumMetrics(pages), /^build_info\{version="1"\} 1$/m);
    assert.match(sumMetrics(pages), /^svid_expiry_seconds 9$/m);
  });

  it("leaves a single page as it is", () => {
    const registry = createMetricRegistry();
    registry.counter("a_total", "A.").add(3);
    registry.gauge("far", "Far.").set(Infinity);
    assert.equal(sumMetrics([registry.render()]), registry.render());
  });
});
