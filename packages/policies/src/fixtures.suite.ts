// What the tests of all policies share: resources read by the real validation, and requests to put before a filter.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { it } from "node:test";

import { HeaderList } from "@ripstop/http";
import type { FilterState, FilterTools, PeerInfo, RequestInfo } from "@ripstop/policy-api/proxy";
import { KindRegistry, validateAll, type Kind, type Resource, type ResourceLookup } from "@ripstop/resources";
import { createMetricRegistry } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";

const nothing: ResourceLookup = { get: () => undefined, list: () => [] };

/** Reads YAML documents of one kind as `ripstop apply` would; fails the test on any violation. */
export function readResources<Spec>(kind: Kind<Spec>, text: string): Resource<Spec>[] {
  const { resources, violations } = validateAll([{ file: "test.yaml", text }], {
    kinds: new KindRegistry([kind]),
    current: nothing,
  });
  assert.deepEqual(violations, []);
  return resources.map(({ resource }) => resource as Resource<Spec>);
}

/** Reads one resource. */
export function readResource<Spec>(kind: Kind<Spec>, text: string): Resource<Spec> {
  const [resource] = readResources(kind, text);
  assert.ok(resource);
  return resource;
}

/** Everything that is wrong with `text`, as "PATH — MESSAGE. REMEDY". */
export function violationsOf(kind: Kind, text: string): string[] {
  const { violations } = validateAll([{ file: "test.yaml", text }], {
    kinds: new KindRegistry([kind]),
    current: nothing,
  });
  return violations.map(({ path, message, remedy }) => `${path} — ${message}. ${remedy}`);
}

/** A caller with a verified identity of trust domain mesh.local. */
export function caller(namespace: string, serviceAccount: string): PeerInfo {
  return {
    identity: `spiffe://mesh.local/ns/${namespace}/sa/${serviceAccount}`,
    namespace,
    serviceAccount,
    address: "127.0.0.1:40000",
  };
}

/** A caller on a plain connection. */
export const plainCaller: PeerInfo = { identity: "", namespace: "", serviceAccount: "", address: "127.0.0.1:40000" };

/** GET http://stock.shop/ on port 8080 by shop/web, but for what `fields` says. */
export function request(fields: Partial<RequestInfo> = {}): RequestInfo {
  return {
    source: caller("shop", "web"),
    port: 8080,
    http: true,
    method: "GET",
    host: "stock.shop",
    path: "/",
    query: "",
    headers: new HeaderList(),
    gateway: "",
    listener: "",
    route: "",
    ...fields,
  };
}

/** A TCP connection to port 8080 by shop/web, but for what `fields` says. */
export function connection(fields: Partial<RequestInfo> = {}): RequestInfo {
  return request({ http: false, method: "", host: "", path: "", ...fields });
}

/**
 * One test for each NAME.input.yaml of the source folder `testdata`: what `produce` makes of it must be NAME.golden.json.
 * With UPDATE_GOLDEN=1 the golden files are written instead.
 */
export function goldenTests(testdata: URL, produce: (text: string) => unknown): void {
  const inputs = readdirSync(testdata).filter((name) => name.endsWith(".input.yaml"));
  assert.ok(inputs.length > 0, `no golden inputs in ${testdata.pathname}`);
  for (const input of inputs) {
    it(`compiles ${input} to its golden file`, () => {
      const golden = new URL(input.replace(".input.yaml", ".golden.json"), testdata);
      const got = `${JSON.stringify(produce(readFileSync(new URL(input, testdata), "utf8")), undefined, 2)}\n`;
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, got);
      assert.ok(existsSync(golden), `${golden.pathname} is missing: run the test with UPDATE_GOLDEN=1`);
      assert.equal(got, readFileSync(golden, "utf8"));
    });
  }
}

/** Tools for a filter, with what the test looks at. */
export interface TestTools extends FilterTools {
  readonly clock: StoppedClock;
  /** What filters keep. */
  readonly states: ReadonlyMap<string, FilterState>;
}

/** Tools for a filter: a stopped clock, state that is kept, and random numbers that are 0 unless given. */
export function filterTools(options: Partial<Omit<TestTools, "states">> = {}): TestTools {
  const states = new Map<string, FilterState>();
  return {
    clock: new StoppedClock(),
    metrics: createMetricRegistry(),
    workers: 1,
    random: () => 0,
    keep<T extends FilterState>(name: string, make: () => T): T {
      const kept = states.get(name) ?? make();
      states.set(name, kept);
      return kept as T;
    },
    ...options,
    states,
  };
}
