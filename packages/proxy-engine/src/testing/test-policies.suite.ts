// Policies of the tests, compiled as the control plane would.

import assert from "node:assert/strict";
import type { Policy } from "@ripstop/model";
import { policyKinds } from "@ripstop/policies/control";
import { compileSchema } from "@ripstop/resources";
import { TRUST_DOMAIN } from "./test-mesh.suite.ts";

/** A policy of namespace shop, with its defaults, compiled. */
export function policyOf(kindName: "RateLimitPolicy" | "FaultInjection", name: string, given: object): Policy {
  const policyKind = policyKinds.find(({ kind }) => kind.kind === kindName);
  assert.ok(policyKind);
  const spec = structuredClone(given);
  assert.deepEqual(compileSchema(policyKind.kind.schema).check(spec), []);
  const metadata = {
    name,
    namespace: "shop",
    labels: {},
    annotations: {},
    uid: "",
    generation: 1,
    resourceVersion: "",
    creationTimestamp: "",
  };
  const resource = { apiVersion: "", kind: kindName, metadata, spec };
  const config = policyKind.compile(resource, { trustDomain: TRUST_DOMAIN });
  return { name: `${kindName}/shop/${name}`, kind: policyKind.name, config: Buffer.from(config) };
}
