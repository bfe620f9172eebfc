// Who may import whom. A package imports packages of lower layers, and those of its own layer that `beside` names.

/** One package. */
export interface LayerEntry {
  readonly layer: number;
  /** Packages of the same layer that it may import, each with a reason in the table below. */
  readonly beside?: readonly string[];
}

/** Every package of `packages/`. */
export const layers: Readonly<Record<string, LayerEntry>> = {
  core: { layer: 0 },
  http: { layer: 0, beside: ["core"] },
  // Fakes: of L0 contracts only, because every package tests with it.
  testkit: { layer: 0, beside: ["core", "http"] },
  model: { layer: 1 },
  telemetry: { layer: 1 },
  http1: { layer: 1 },
  http2: { layer: 1 },
  // Counts handshakes and connections.
  net: { layer: 1, beside: ["telemetry"] },
  resources: { layer: 2 },
  // A policy is made of a resource kind.
  "policy-api": { layer: 2, beside: ["resources"] },
  policies: { layer: 3 },
  identity: { layer: 3 },
  discovery: { layer: 3 },
  routing: { layer: 3 },
  balance: { layer: 3 },
  "proxy-engine": { layer: 4 },
  "control-engine": { layer: 4 },
  "agent-engine": { layer: 4 },
};

/** The engines: they never import each other, not even in tests. */
export const ENGINE_LAYER = 4;

/** Applications, tools and end-to-end tests stand on everything. */
export const TOP_LAYER = 5;

/** Imported only by *.test.ts, *.suite.ts, *.fixture.ts, *.fuzz.ts, testing/ and end-to-end tests. */
export const testPackages: ReadonlySet<string> = new Set(["testkit"]);

/** Entries that only one side loads; a proxy never carries control-plane code. */
export const restrictedEntries: readonly {
  readonly entry: string;
  readonly importers: readonly string[];
  readonly reason: string;
}[] = [
  {
    entry: "@ripstop/policies/control",
    importers: ["control-engine", "ripstop", "tools", "test"],
    reason: "schemas, validation and compilation belong to the control plane",
  },
  {
    entry: "@ripstop/policies/http-route",
    importers: ["control-engine", "ripstop", "tools", "test"],
    reason: "schemas, validation and compilation belong to the control plane",
  },
  {
    entry: "@ripstop/policies/proxy",
    importers: ["proxy-engine", "ripstop", "tools", "test"],
    reason: "filters belong to the proxy",
  },
  {
    entry: "@ripstop/discovery/server",
    importers: ["control-engine", "ripstop", "test"],
    reason: "the serving side of the config stream belongs to the control plane",
  },
  {
    entry: "@ripstop/identity/authority",
    importers: ["control-engine", "ripstop", "test"],
    reason: "the certificate authority belongs to the control plane",
  },
];

/** What a filter may not reach, however indirectly: files of its package, and packages. */
export const controlSide: { readonly files: RegExp; readonly packages: readonly string[] } = {
  files: /\/(schema|spec|validate|compile|index|control\.gen)\.ts$/,
  packages: ["@ripstop/resources", "@ripstop/policy-api/control"],
};

/** The only file that reads a clock or sets timers. */
export const CLOCK_FILE = "packages/core/src/clock.ts";

/** Calls that only CLOCK_FILE makes, and what to do instead. */
export const clockCalls: Readonly<Record<string, string>> = {
  "Date.now": "take a Clock and call nowMs()",
  Date: "take a Clock and call nowMs()",
  "performance.now": "take a Clock and call monotonicMs()",
  "process.hrtime": "take a Clock and call monotonicMs()",
  "process.hrtime.bigint": "take a Clock and call monotonicMs()",
  setTimeout: "take a Clock and call after()",
  setInterval: "take a Clock and call every()",
};

/** Folders whose programs and tests may read the time: they measure, and nothing stands on them. */
export const mayReadTime: readonly string[] = ["tools/", "test/", "apps/dashboard/"];

/** Packages that may call setImmediate, to join writes of one turn of the event loop. */
export const mayUseImmediate: ReadonlySet<string> = new Set(["net"]);
