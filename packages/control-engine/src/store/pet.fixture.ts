// A resource for tests of stores.

import type { Resource } from "@ripstop/resources";

/** A resource as an apply gives it. */
export function pet(name: string, legs: number, labels: Readonly<Record<string, string>> = {}): Resource {
  const metadata = {
    name,
    namespace: "home",
    labels,
    annotations: {},
    uid: "",
    generation: 0,
    resourceVersion: "",
    creationTimestamp: "",
  };
  return { apiVersion: "test/v1", kind: "Pet", metadata, spec: { legs } };
}
