// Every row of the table of hostile signing requests, sent to the API of a real control plane.

import { createMetricRegistry } from "@ripstop/telemetry";
import type { MeshEvent } from "@ripstop/model";
import { csrCases } from "@ripstop/testkit/hostile";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestControl } from "./control.fixture.ts";

describe("a hostile signing request to the control plane", () => {
  const metrics = createMetricRegistry();
  let control: TestControl;
  before(async () => {
    control = await TestControl.start({ metrics });
  });
  after(() => control.close());

  function refused(code: string): number {
    const line = metrics.render().match(new RegExp(`^ripstop_identity_refused_total\\{code="${code}"\\} (\\d+)$`, "m"));
    return Number(line?.[1] ?? 0);
  }

  for (const { title, verdict, make } of csrCases) {
    it(`with ${title}: ${verdict}`, async () => {
      const csrPem = await make("spiffe://mesh.local/ns/shop/sa/web");
      const before = refused(verdict);
      const answer = await control.send("POST", "/v1/workloads", {
        service: "web",
        namespace: "shop",
        labels: {},
        ports: [],
        csrPem,
        pid: process.pid,
      });
      if (verdict === "accepted") {
        assert.equal(answer.status, 200, answer.text);
        return;
      }
      assert.equal(answer.status, 422, answer.text);
      assert.match(answer.text, new RegExp(`RS3019.*${verdict}: `));
      assert.equal(refused(verdict), before + 1);
    });
  }

  it("that is refused becomes an event, once for many of one sender", async () => {
    const { events } = (await control.send("GET", "/v1/events")).json<{ events: MeshEvent[] }>();
    const found = events.filter(({ type }) => type === "CsrRefused");
    assert.equal(found.length, 1);
    assert.equal(found[0]?.subject, "spiffe://mesh.local/ns/shop/sa/web");
  });

  it("that is too large is refused before it is read", async () => {
    const csrPem = "A".repeat(20_000);
    const answer = await control.send("POST", "/v1/workloads", {
      service: "web",
      namespace: "shop",
      labels: {},
      ports: [],
      csrPem,
      pid: 0,
    });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /RS3012/);
  });
});
