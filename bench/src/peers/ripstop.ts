// Our own proxy: one workload whose declared upstream is the service behind it, all mesh duties on.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Endpoint_Reach,
  endpointsType,
  hostBindingName,
  hostBindingType,
  PathMatch_Type,
  Protocol,
  routesName,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
} from "@ripstop/model";
import { freePort, startAndWait, stopChild, type Assignment, type Peer } from "./peer.ts";
import { benchAuthority, benchWorkload, CacheBuilder, writeState } from "./proxy-state.ts";

const bundle = join(dirname(fileURLToPath(import.meta.url)), "../../../apps/ripstop/dist/bundle/ripstop.js");
const packageJson = join(dirname(fileURLToPath(import.meta.url)), "../../../apps/ripstop/package.json");

/** For profiles: RIPSTOP_BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=/tmp/profile". */
const nodeFlags = (process.env["RIPSTOP_BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
const PROTOCOLS = { http1: Protocol.HTTP1, http2: Protocol.HTTP2, tcp: Protocol.TCP } as const;
const PORT = 80;

function cacheFor(assignment: Assignment, bundleDer: readonly Uint8Array[]): CacheBuilder {
  const { id, spiffeId } = benchWorkload("client");
  const cache = new CacheBuilder();
  cache.add(trustBundleType, "bench.mesh", { trustDomain: "bench.mesh", sequence: 1, x509Authorities: bundleDer.map((der) => Buffer.from(der)) });
  cache.add(telemetryType, "default", { reportIntervalMs: 1000 });
  cache.add(workloadType, id, { id, namespace: "bench", serviceAccount: "client", spiffeId, labels: {}, ports: [], policies: [], locality: undefined, service: "bench/client" });
  cache.add(hostBindingType, hostBindingName("bench", "backend"), { name: hostBindingName("bench", "backend"), service: "bench/backend" });
  cache.add(serviceType, "bench/backend", {
    namespace: "bench",
    name: "backend",
    hostnames: ["backend"],
    addresses: [],
    ports: [{ port: PORT, name: "main", protocol: PROTOCOLS[assignment.protocol] }],
    resilience: undefined,
  });
  cache.add(endpointsType, "bench/backend", {
    service: "bench/backend",
    endpoints: assignment.upstreams.map((port, at) => ({
      id: `backend-${at}`,
      reach: Endpoint_Reach.PLAIN,
      address: `127.0.0.1:${port}`,
      spiffeId: "",
      weight: 1,
      healthy: true,
      locality: undefined,
      targetPorts: { [PORT]: port },
      version: "",
    })),
  });
  const rule = (path: string) => ({
    source: `HTTPRoute bench/backend ${path}`,
    hostnames: [],
    path: { type: PathMatch_Type.PREFIX, value: path },
    method: "",
    headers: [],
    query: [],
    filters: [],
    backends: [{ service: "bench/backend", port: PORT, weight: 1, invalid: "" }],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
  });
  cache.add(routesType, routesName("bench/backend", "bench"), { service: "bench/backend", ports: assignment.protocol === "tcp" ? [] : [{ port: PORT, http: [rule("/api"), rule("/")] }] });
  return cache;
}

/** The proxy on this process's Node. */
export const ripstop: Peer = {
  name: "Ripstop",
  missing: () => undefined,
  version: () => (JSON.parse(readFileSync(packageJson, "utf8")) as { version: string }).version,
  async start(assignment) {
    const authority = await benchAuthority(assignment.folder);
    const directory = join(assignment.folder, "state");
    const ports = { inbound: await freePort(), httpProxy: await freePort(), upstreams: [assignment.listen] };
    await writeState(directory, authority, { name: "client", upstreams: [{ host: "backend", port: PORT }] }, ports, cacheFor(assignment, authority.bundle().der));
    await authority.close();
    const child = await startAndWait(process.execPath, [...nodeFlags, bundle, "proxy", "--state-dir", directory], assignment.listen);
    return { pids: [child.pid ?? 0], stop: () => stopChild(child) };
  },
};
