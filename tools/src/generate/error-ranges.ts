// Who defines which error codes. Codes are never reused for another meaning.

/** Owner (folder below packages/ or apps/) and its codes, first to last. */
export const errorRanges: readonly {
  readonly owner: string;
  readonly title: string;
  readonly first: number;
  readonly last: number;
}[] = [
  { owner: "packages/proxy-engine", title: "Proxy", first: 1000, last: 1099 },
  { owner: "packages/policies", title: "Policies", first: 1100, last: 1299 },
  { owner: "packages/identity", title: "Identity", first: 2000, last: 2099 },
  { owner: "packages/control-engine", title: "Control plane", first: 3000, last: 3099 },
  { owner: "packages/resources", title: "Resources", first: 3100, last: 3199 },
  { owner: "packages/agent-engine", title: "Running workloads", first: 4000, last: 4099 },
  { owner: "apps/ripstop", title: "Command line", first: 4100, last: 4199 },
  { owner: "packages/net", title: "Network and TLS", first: 5000, last: 5099 },
  { owner: "packages/http1", title: "HTTP/1.1", first: 5100, last: 5199 },
  { owner: "packages/http2", title: "HTTP/2", first: 5200, last: 5299 },
  { owner: "packages/discovery", title: "Config stream", first: 5300, last: 5399 },
];
