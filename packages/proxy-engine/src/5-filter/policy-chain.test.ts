// The filters of one workload: their order, how policies of one kind become one filter, and what fails closed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Policy } from "@ripstop/model";
import type { Denial, FilterFactory, FilterTools, RequestInfo } from "@ripstop/policy-api/proxy";
import { createMetricRegistry } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";

import { policyNotInForce } from "../errors.ts";
import { compilePolicyChain } from "./policy-chain.ts";
import { RequestView } from "./request-view.ts";

const request: RequestInfo = new RequestView();

/** A kind whose filter refuses with its order as clause when a config says "deny", and audits when one says "audit". */
function factory(kind: string, order: number): FilterFactory {
  return {
    kind,
    order,
    create(configs) {
      const texts = configs.map(({ config }) => Buffer.from(config).toString());
      if (texts.includes("broken")) throw new Error("cannot be read");
      const names = configs.map(({ name }) => name).join("+");
      const denial: Denial = { kind: policyNotInForce, policy: names, clause: String(order), message: "no" };
      const onRequest = (): Denial | undefined => (texts.includes("deny") ? denial : undefined);
      return texts.includes("audit")
        ? { onRequest, audit: () => ({ policy: names, clause: String(order) }) }
        : { onRequest };
    },
  };
}

const factories = [factory("late", 300), factory("early", 100)];
const policy = (kind: string, name: string, text: string): Policy => ({
  name: `X/shop/${name}`,
  kind,
  config: Buffer.from(text),
});

const tools: FilterTools = {
  clock: new StoppedClock(),
  metrics: createMetricRegistry(),
  workers: 1,
  random: () => 0,
  keep: (_name, make) => make(),
};

describe("a policy chain", () => {
  it("lets everything pass without a policy", () => {
    const chain = compilePolicyChain([], factories, tools);
    assert.equal(chain.judge(request), undefined);
    assert.equal(chain.audit(request), undefined);
  });

  it("asks the filters in their order, and the first refusal decides", () => {
    const chain = compilePolicyChain([policy("late", "a", "deny"), policy("early", "b", "deny")], factories, tools);
    assert.equal(chain.judge(request)?.clause, "100");
  });

  it("makes one filter of all policies of a kind, by their resource names", () => {
    const chain = compilePolicyChain([policy("early", "a", "pass"), policy("early", "b", "deny")], factories, tools);
    assert.equal(chain.judge(request)?.policy, "shop/a+shop/b");
  });

  it("has on record what the first auditing filter wants", () => {
    const chain = compilePolicyChain([policy("late", "a", "audit"), policy("early", "b", "pass")], factories, tools);
    assert.equal(chain.judge(request), undefined);
    assert.deepEqual(chain.audit(request), { policy: "shop/a", clause: "300" });
  });

  it("refuses policies of a kind that it does not know, and config that it cannot read", () => {
    assert.throws(
      () => compilePolicyChain([policy("newer", "a", "")], factories, tools),
      /does not know policies of kind "newer"/,
    );
    assert.throws(() => compilePolicyChain([policy("early", "a", "broken")], factories, tools), /cannot be read/);
  });
});
