// npm run bench:routes: what it costs to find the rule of a request on one gateway listener, by number of routes, against
// trying all of them; and what the change of one route costs where 10,000 are attached. Prints a Markdown table.

import { HeaderList } from "@ripstop/http";
import { gatewayRouteType, PathMatch_Type, type GatewayRoute, type HttpRule } from "@ripstop/model";
import { compareAttached, compileGatewayRoute, hostnameFit, ListenerRoutes, type RouteRequest } from "@ripstop/routing";
import { commandOptions, count, flag } from "@ripstop/testkit";
import { median } from "./median.ts";
import { measureRouteChange } from "./route-change.ts";

const { values: options } = commandOptions(
  {
    command: "npm run bench:routes",
    about: "What it costs to find the rule of a request, and to change one route, by number of routes.",
  },
  {
    rounds: count(15, "rounds, of which the median counts"),
    live: count(10_000, "routes of a real mesh in which one changes; 0 leaves that out", 0),
    json: flag("figures as JSON"),
  },
);

/** How routes differ from each other. */
interface Shape {
  readonly title: string;
  hostnames(at: number): readonly string[];
  path(at: number): { readonly type: PathMatch_Type; readonly value: string };
  request(at: number): { readonly host: string; readonly path: string };
}

const { EXACT, PREFIX } = PathMatch_Type;

const shapes: readonly Shape[] = [
  {
    title: "a host name each",
    hostnames: (at) => [`service-${at}.example.com`],
    path: () => ({ type: PREFIX, value: "/" }),
    request: (at) => ({ host: `service-${at}.example.com`, path: "/books/1?page=2" }),
  },
  {
    title: "a wildcard each",
    hostnames: (at) => [`*.tenant-${at}.example.com`],
    path: () => ({ type: PREFIX, value: "/" }),
    request: (at) => ({ host: `shop.tenant-${at}.example.com`, path: "/books/1" }),
  },
  {
    title: "one host, a prefix each",
    hostnames: () => ["api.example.com"],
    path: (at) => ({ type: PREFIX, value: `/v1/service-${at}` }),
    request: (at) => ({ host: "api.example.com", path: `/v1/service-${at}/books/1` }),
  },
  {
    title: "one host, an exact path each",
    hostnames: () => ["api.example.com"],
    path: (at) => ({ type: EXACT, value: `/v1/service-${at}/books` }),
    request: (at) => ({ host: "api.example.com", path: `/v1/service-${at}/books` }),
  },
];

const COUNTS = [10, 100, 1_000, 10_000];
const LINEAR_MOST = 10_000;
/** The same number of different requests for every size, so that only the number of routes differs. */
const REQUESTS = 10;
const MATCHES = 100_000;
/** Changes of one route in a real mesh. */
const CHANGES = 20;

function routeOf(shape: Shape, at: number): GatewayRoute {
  const { type, value } = shape.path(at);
  const rule: HttpRule = {
    source: `HTTPRoute shop/route-${at} rule 0 match 0`,
    hostnames: [],
    path: { type, value },
    method: "",
    headers: [],
    query: [],
    filters: [],
    backends: [{ service: `shop/service-${at}`, port: 80, weight: 1, invalid: "", filters: [] }],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    precedence: { ranks: [type === EXACT ? 2 : 0, value.length] },
  };
  return {
    name: `infra/edge/HTTPRoute/shop/route-${at}`,
    created: "2026-01-01T00:00:00Z",
    attachments: [{ listener: "https", hostnames: [...shape.hostnames(at)] }],
    http: [rule],
    streams: [],
  };
}

function listenerWith(shape: Shape, count: number): ListenerRoutes {
  const listener = new ListenerRoutes();
  for (let at = 0; at < count; at++) listener.attach(compileGatewayRoute(routeOf(shape, at)), shape.hostnames(at));
  return listener;
}

function requestsOf(shape: Shape, count: number): readonly RouteRequest[] {
  // Spread over all routes, each text made anew as a codec makes it.
  return Array.from({ length: REQUESTS }, (_one, index) => {
    const { host, path } = shape.request(Math.floor((index * count) / REQUESTS));
    return { host, method: "GET", path: path.split("?")[0] ?? path, query: "", headers: new HeaderList() };
  });
}

/** Nanoseconds of processor time a match: what else runs on the machine counts less than by the clock. */
function cost(find: (request: RouteRequest) => unknown, requests: readonly RouteRequest[], matches: number): number {
  const before = process.cpuUsage();
  for (let at = 0; at < matches; at++) {
    const request = requests[at % requests.length];
    if (request === undefined || find(request) === undefined) throw new Error("a request matched no route");
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1e3) / matches;
}

/** What trying all of them in their order costs. */
function linear(shape: Shape, count: number): (request: RouteRequest) => unknown {
  const pairs = Array.from({ length: count }, (_one, at) => at).flatMap((at) =>
    compileGatewayRoute(routeOf(shape, at)).flatMap((rule) =>
      shape.hostnames(at).map((hostname) => ({ rule, hostname })),
    ),
  );
  pairs.sort((a, b) => b.hostname.length - a.hostname.length || compareAttached(a.rule, b.rule));
  return (request) =>
    pairs.find(({ rule, hostname }) => hostnameFit(hostname, request.host) > 0 && rule.rule.matches(request));
}

/** Milliseconds to decode a changed route and put it in the place of the one before. */
function changeMs(shape: Shape, count: number): number {
  const listener = listenerWith(shape, count);
  const times: number[] = [];
  for (let round = 0; round < 50; round++) {
    const at = Math.floor((round * count) / 50);
    const bytes = gatewayRouteType.encode(routeOf(shape, at));
    const before = compileGatewayRoute(routeOf(shape, at));
    listener.attach(before, shape.hostnames(at));
    const startMs = performance.now();
    const after = compileGatewayRoute(gatewayRouteType.decode(bytes));
    listener.detach(before, shape.hostnames(at));
    listener.attach(after, shape.hostnames(at));
    times.push(performance.now() - startMs);
  }
  return Math.max(...times);
}

async function main(): Promise<void> {
  const { rounds, live } = options;
  const lines = [
    `| routes differ by | ${COUNTS.map((count) => `${count} routes`).join(" | ")} | 10,000 to 10 | trying all ${LINEAR_MOST} | one of 10,000 changes |`,
    `|---|${COUNTS.map(() => "---|").join("")}---|---|---|`,
  ];
  const results: object[] = [];
  for (const shape of shapes) {
    const sized = COUNTS.map((count) => ({
      listener: listenerWith(shape, count),
      requests: requestsOf(shape, count),
      costs: [] as number[],
    }));
    // Round about, so that a disturbance of the machine is not one size's alone; the first rounds warm up.
    for (let round = 0; round < rounds + 5; round++) {
      for (const { listener, requests, costs } of sized) {
        const one = cost((request) => listener.match(request), requests, MATCHES);
        if (round >= 5) costs.push(one);
      }
    }
    const nanoseconds = sized.map(({ costs }) => median(costs));
    const [first = 1] = nanoseconds;
    const ratio = (nanoseconds.at(-1) ?? 0) / first;
    const tried = cost(linear(shape, LINEAR_MOST), requestsOf(shape, LINEAR_MOST), 100);
    const change = changeMs(shape, LINEAR_MOST);
    results.push({ shape: shape.title, nanoseconds, ratio, linearNanoseconds: tried, changeMs: change });
    lines.push(
      `| ${shape.title} | ${nanoseconds.map((ns) => `${ns.toFixed(0)} ns`).join(" | ")} | ${ratio.toFixed(2)} times | ${(tried / 1000).toFixed(0)} us | ${change.toFixed(2)} ms |`,
    );
  }
  if (!options.json) process.stdout.write(`${lines.join("\n")}\n`);
  const change = live === 0 ? undefined : await measureRouteChange(live, CHANGES);
  if (options.json) process.stdout.write(`${JSON.stringify({ matching: results, change }, undefined, 2)}\n`);
  else if (change !== undefined)
    process.stdout.write(
      `\nOne of ${live} routes changed ${CHANGES} times: from commit to the acknowledgement of the gateway's proxy ` +
        `${change.medianMs.toFixed(1)} ms (median), ${change.maxMs.toFixed(1)} ms (longest); the answer to apply came after ` +
        `${change.applyMedianMs.toFixed(1)} ms (median). Loading all of them took ${(change.loadMs / 1000).toFixed(1)} s.\n`,
    );
}

await main();
