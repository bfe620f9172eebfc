// Example to its config.

import type { WorkloadFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { ExampleConfig } from "./config.gen.ts";
import type { ExampleSpec } from "./schema.ts";

/** Guards every workload of its namespace. */
export function appliesToWorkload(policy: Resource<ExampleSpec>, workload: WorkloadFacts): boolean {
  return policy.metadata.namespace === workload.namespace;
}

/** Bytes of the ExampleConfig of a valid policy. */
export function compileExample({ spec }: Resource<ExampleSpec>): Uint8Array {
  return ExampleConfig.encode({ header: spec.header.toLowerCase(), reason: spec.reason }).finish();
}
