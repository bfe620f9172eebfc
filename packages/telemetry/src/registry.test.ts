import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMetricRegistry } from "./registry.ts";

describe("the metric registry", () => {
  it("renders counters and gauges in the Prometheus text format", () => {
    const registry = createMetricRegistry();
    registry.counter("a_total", "Things.", { to: "orders", from: "web" }).add(2);
    registry.counter("a_total", "Things.", { to: "orders", from: "web" }).add(3);
    registry.gauge("b", "Level.").set(1.5);
    assert.equal(
      registry.render(),
      '# HELP a_total Things.\n# TYPE a_total counter\na_total{from="web",to="orders"} 5\n# HELP b Level.\n# TYPE b gauge\nb 1.5\n',
    );
  });

  it("gives the same series for the same labels in any order", () => {
    const registry = createMetricRegistry();
    const one = registry.gauge("g", "", { a: "1", b: "2" });
    assert.equal(registry.gauge("g", "", { b: "2", a: "1" }), one);
    assert.notEqual(registry.gauge("g", "", { a: "2", b: "1" }), one);
  });

  it("lets no label value forge a line or another label", () => {
    const registry = createMetricRegistry();
    registry.counter("a", "x\ny", { path: '"} 1\nevil 2 \\ \r\0' }).add(1);
    assert.equal(registry.render(), '# HELP a x\\ny\n# TYPE a counter\na{path="\\"} 1\\nevil 2 \\\\ ??"} 1\n');
  });

  it("cuts long label values", () => {
    const registry = createMetricRegistry();
    registry.counter("a", "", { path: "x".repeat(10_000) }).add(1);
    assert.ok(registry.render().length < 400);
  });

  it("refuses names and label names that are not of the format, and one name for two types", () => {
    const registry = createMetricRegistry();
    assert.throws(() => registry.counter("a-b", ""));
    assert.throws(() => registry.counter("a", "", { "x-y": "1" }));
    registry.counter("c", "");
    assert.throws(() => registry.gauge("c", ""));
  });

  it("puts label sets above the cap into one overflow series", () => {
    const registry = createMetricRegistry({ maxSeriesPerMetric: 3 });
    for (let i = 0; i < 100; i++) registry.counter("a", "", { path: `/${i}` }).add(1);
    registry.counter("a", "", { path: "/1" }).add(10);
    const lines = registry
      .render()
      .split("\n")
      .filter((line) => line.startsWith("a{"));
    assert.deepEqual(lines, ['a{path="/0"} 1', 'a{path="/1"} 11', 'a{path="/2"} 1', 'a{path="overflow"} 97']);
  });

  it("keeps the values of thousands of series apart", () => {
    const registry = createMetricRegistry();
    const counters = Array.from({ length: 1_500 }, (_, n) => registry.counter("a", "", { n: `${n}` }));
    counters.forEach((counter, n) => counter.add(n));
    assert.deepEqual(
      counters.map((counter) => counter.value),
      counters.map((_, n) => n),
    );
  });

  it("renders histograms with cumulative buckets, sum and count", () => {
    const registry = createMetricRegistry();
    const histogram = registry.histogram("d_ms", "", { route: "r" });
    for (const value of [0.2, 3, 3, 70, 1e9]) histogram.record(value);
    const text = registry.render();
    assert.match(text, /d_ms_bucket\{route="r",le="0.5"\} 1\n/);
    assert.match(text, /d_ms_bucket\{route="r",le="5"\} 3\n/);
    assert.match(text, /d_ms_bucket\{route="r",le="100"\} 4\n/);
    assert.match(text, /d_ms_bucket\{route="r",le="60000"\} 4\n/);
    assert.match(text, /d_ms_bucket\{route="r",le="\+Inf"\} 5\n/);
    assert.match(text, /d_ms_sum\{route="r"\} 1000000076.2\nd_ms_count\{route="r"\} 5\n/);
  });
});
