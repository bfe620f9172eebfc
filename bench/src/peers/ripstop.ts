// Our own proxy, all mesh duties on: outbound of a workload with one declared upstream, or inbound of a workload.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
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
  type Endpoint,
  type HttpRule,
} from "@ripstop/model";
import { codeCacheName, isWarmCodeCache } from "ripstop/dist/code-cache.js";
import { proxyCommand as shippedCommand } from "ripstop/dist/proxy-command.js";
import { freePort, pause, startServer } from "../processes.ts";
import { createMeshIdentities, NAMESPACE, type MeshIdentities } from "./mesh-identities.ts";
import type { Launch, Peer } from "./peer.ts";
import { CacheBuilder, writeState } from "./proxy-state.ts";

const application = join(dirname(fileURLToPath(import.meta.url)), "../../../apps/ripstop");
const bundle = join(application, "dist/bundle/ripstop.js");

const PROTOCOLS = { http1: Protocol.HTTP1, http2: Protocol.HTTP2, tcp: Protocol.TCP } as const;
const PORT = 80;
const SERVICE = `${NAMESPACE}/backend`;

interface Client {
  readonly nodeFlags: readonly string[];
  readonly listen: number;
  readonly protocol: Protocol;
  readonly endpoints: readonly Endpoint[];
  readonly folder: string;
  readonly mesh: MeshIdentities;
}

async function clientProxy({ nodeFlags, listen, protocol, endpoints, folder, mesh }: Client): Promise<Launch> {
  const cache = new CacheBuilder();
  cache.add(hostBindingType, hostBindingName(NAMESPACE, "backend"), {
    name: hostBindingName(NAMESPACE, "backend"),
    service: SERVICE,
  });
  cache.add(serviceType, SERVICE, {
    namespace: NAMESPACE,
    name: "backend",
    hostnames: ["backend"],
    addresses: [],
    ports: [{ port: PORT, name: "main", protocol }],
    resilience: undefined,
  });
  cache.add(endpointsType, SERVICE, { service: SERVICE, endpoints: [...endpoints] });
  const ports = protocol === Protocol.TCP ? [] : [{ port: PORT, http: [prefixRule("/api"), prefixRule("/")] }];
  cache.add(routesType, routesName(SERVICE, NAMESPACE), { service: SERVICE, ports });
  const workload = {
    name: "client",
    identity: mesh.client,
    upstreams: [{ host: "backend", port: PORT }],
    inboundPorts: [],
    ports: { inbound: await freePort(), httpProxy: await freePort(), upstreams: [listen] },
  };
  const directory = join(folder, "state");
  writeState(directory, workload, mesh, cache);
  return proxyCommand(directory, nodeFlags);
}

/** The proxy as `ripstop run` starts it: the same options and environment. */
function proxyCommand(directory: string, nodeFlags: readonly string[]): Launch {
  const { execPath, execArgs, modulePath, args, env } = shippedCommand(bundle);
  return {
    command: execPath,
    args: [...execArgs, ...nodeFlags, modulePath, ...args, "--state-dir", directory],
    env: { ...process.env, ...env },
  };
}

function prefixRule(path: string): HttpRule {
  return {
    source: `HTTPRoute ${SERVICE} ${path}`,
    hostnames: [],
    path: { type: PathMatch_Type.PREFIX, value: path },
    method: "",
    headers: [],
    query: [],
    filters: [],
    backends: [{ service: SERVICE, port: PORT, weight: 1, invalid: "", filters: [] }],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
  };
}

function endpoint(id: string, port: number, parts: Partial<Endpoint>): Endpoint {
  return {
    id,
    reach: Endpoint_Reach.PLAIN,
    address: `127.0.0.1:${port}`,
    spiffeId: "",
    weight: 1,
    healthy: true,
    locality: undefined,
    targetPorts: { [PORT]: port },
    version: "",
    ...parts,
  };
}

/** The proxy on this process's Node, started with `nodeFlags`. */
export function createRipstop(nodeFlags: readonly string[]): Peer {
  return {
    name: "Ripstop",
    missing: () => undefined,
    version: () => (JSON.parse(readFileSync(join(application, "package.json"), "utf8")) as { version: string }).version,
    cannot: () => undefined,
    async firstRun(folder) {
      const listen = await freePort();
      const { execArgs } = shippedCommand(bundle);
      const cache = join(dirname(bundle), codeCacheName([...execArgs, ...nodeFlags]));
      const upstream = createServer((_request, response) => response.end("hello"));
      await new Promise<void>((resolve) => void upstream.listen(0, "127.0.0.1", resolve));
      const address = upstream.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const launch = await this.plain({ protocol: "http1", listen, upstreams: [port], folder });
      const { pids, stop } = await startServer(launch, listen);
      // The code of a request is in the cache once requests were served.
      await (await fetch(`http://127.0.0.1:${listen}/api/items`)).text();
      while (!isWarmCodeCache(cache) && existsSync(`/proc/${pids[0]}`)) await pause(100);
      await stop();
      upstream.close();
      upstream.closeAllConnections();
    },
    async plain({ protocol, listen, upstreams, folder }) {
      const mesh = await createMeshIdentities(folder);
      const endpoints = upstreams.map((port, at) => endpoint(`backend-${at}`, port, {}));
      return clientProxy({ nodeFlags, listen, protocol: PROTOCOLS[protocol], endpoints, folder, mesh });
    },
    async inbound({ listen, application: app, folder, mesh }) {
      const workload = {
        name: "backend",
        identity: mesh.backend,
        upstreams: [],
        inboundPorts: [{ port: PORT, name: "main", protocol: Protocol.HTTP1, applicationAddress: `127.0.0.1:${app}` }],
        ports: { inbound: listen, httpProxy: await freePort(), upstreams: [] },
      };
      const directory = join(folder, "state-in");
      writeState(directory, workload, mesh, new CacheBuilder());
      return proxyCommand(directory, nodeFlags);
    },
    outbound({ listen, inbound, folder, mesh }) {
      const endpoints = [
        endpoint(SERVICE, inbound, {
          reach: Endpoint_Reach.MESH,
          spiffeId: mesh.backend.spiffeId,
          targetPorts: { [PORT]: PORT },
        }),
      ];
      return clientProxy({ nodeFlags, listen, protocol: Protocol.HTTP1, endpoints, folder, mesh });
    },
  };
}
