import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeLive } from "./report-change.ts";

describe("describeLive", () => {
  const live = { revision: 3, total: 12, live: 12, pending: [], rejected: [], elapsedMs: 139.6 };

  it("says how many have it and after what time", () => {
    assert.equal(describeLive(live), "live on 12 of 12 proxies after 140 ms\n");
  });

  it("says of which control plane's proxies nothing is known", () => {
    const unknown = [{ id: "c2", streamAddress: "10.0.0.6:1", proxies: 1, reason: "it does not answer" }];
    assert.match(
      describeLive({ ...live, unknown }),
      /^control plane c2 \(10\.0\.0\.6:1\): it does not answer: 1 proxy unknown$/m,
    );
  });

  it("names who refused it and why, and who is still without it", () => {
    const pending = Array.from({ length: 12 }, (_, index) => `shop/p-${index}`);
    const text = describeLive({
      ...live,
      live: 0,
      pending,
      rejected: [{ proxyId: "shop/old", reason: "unknown policy" }],
    });
    assert.match(text, /refused by shop\/old: unknown policy\n/);
    assert.match(text, /still without it: shop\/p-0, .*shop\/p-9 and 2 others\n/);
  });
});
