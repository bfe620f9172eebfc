// The messages of the SPIFFE Workload API. An entry of its own, so that only those who serve or call it load them.

export * from "./generated/spiffe/workload/workload.ts";
