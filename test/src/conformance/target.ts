// What the cases run against: a mesh of Ripstop's own, or an address of any implementation.

import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { freePort, TestAuthority } from "@ripstop/testkit";

import { Mesh, type Running } from "../mesh.ts";
import type { Generated, Seen } from "./answer.ts";
import { ask } from "./ask.ts";
import type { Ask, Case, Manifest } from "./case.ts";
import { gateway, http, NAMESPACE, OTHER_NAMESPACE } from "./manifests.ts";
import { ConformanceClient } from "./mesh-client.ts";

/** What a run needs of an implementation. */
export interface Target {
  /** Applies; what the API answered when it refused, else undefined. */
  apply(manifests: readonly Manifest[]): Promise<string | undefined>;
  /** Deletes "KIND NAMESPACE/NAME". */
  remove(resource: string): Promise<void>;
  /** The resource with its status. */
  get(resource: string): Promise<unknown>;
  /** What was made for the Gateway of that name, found by its label. */
  generated(gateway: string): Promise<readonly Generated[]>;
  ask(request: Ask, host: string): Promise<Seen>;
  /** What a backend printed so far. */
  printed(backend: string): string;
  stop(): Promise<void>;
}

/** Backends: name → namespace. */
const BACKENDS: Readonly<Record<string, string>> = {
  v1: NAMESPACE,
  v2: NAMESPACE,
  v3: NAMESPACE,
  web: OTHER_NAMESPACE,
};
/** A placement registers for 64 Gateways at most. */
const GATEWAYS_A_PROCESS = 60;
const LIVE_WAIT_MS = 20_000;
const program = fileURLToPath(new URL("./backend-program.js", import.meta.url));

/** Only sends requests, all to one address. */
export function addressTarget(address: string, port: number): Target {
  const none = (): never => {
    throw new Error("an address has no API");
  };
  return {
    apply: () => Promise.resolve(undefined),
    remove: none,
    get: none,
    generated: none,
    printed: none,
    ask: (request, host) => ask(request, { address, port, host }),
    stop: () => Promise.resolve(),
  };
}

/** What the cases share: the Gateway "edge", Services of the backends, certificates. */
export function commonManifests(): readonly Manifest[] {
  const edge = gateway("edge", [http("http"), http("http-8080", { port: 8080 })]);
  const annotations = { "ripstop.mesh/shared-hostnames": "true" };
  return [{ ...edge, metadata: { ...edge.metadata, annotations } }, ...Object.entries(BACKENDS).map(backendService)];
}

function backendService([name, namespace]: readonly [string, string]): Manifest {
  const targetPort = `${name}-port`;
  const ports = [
    { name: "http", port: 8080, targetPort, appProtocol: "http" },
    { name: "h2c", port: 8081, targetPort, appProtocol: "kubernetes.io/h2c" },
    { name: "ws", port: 8082, targetPort, appProtocol: "kubernetes.io/ws" },
    { name: "grpc", port: 9000, targetPort, appProtocol: "kubernetes.io/h2c" },
    { name: "tcp", port: 9001, targetPort, appProtocol: "tcp" },
    { name: "tls", port: 9002, targetPort, appProtocol: "tls" },
    { name: "odd", port: 9003, targetPort, appProtocol: "example.com/odd" },
  ];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: `backend-${name}` }, ports },
  };
}

/** A mesh with everything that `cases` need; started anew, ended by `stop`. */
export async function startTarget(cases: readonly Case[]): Promise<Target> {
  const mesh = new Mesh();
  try {
    return await started(mesh, cases);
  } catch (error) {
    await mesh.stop();
    throw error;
  }
}

async function started(mesh: Mesh, cases: readonly Case[]): Promise<Target> {
  const known = await TestAuthority.create("outside");
  const unknown = await TestAuthority.create("elsewhere");
  const names = {
    uris: [],
    dnsNames: ["*.example", "*.wide.example", "*.example.com", "*.example.org", "example.org"],
  };
  const server = await known.issue("spiffe://outside/server", { ...names, uris: ["spiffe://abc.example.com/server"] });
  const clients = {
    known: await known.issue("spiffe://outside/client", { uris: [], dnsNames: ["client.example"] }),
    unknown: await unknown.issue("spiffe://elsewhere/client", { uris: [], dnsNames: ["client.example"] }),
  };
  await mesh.startControl();

  const ports = new Map<string, number>();
  const backends = new Map<string, Running>();
  const tls = { TLS_KEY: server.keyPem, TLS_CERT: server.chainPem };
  for (const [name, namespace] of Object.entries(BACKENDS)) {
    const port = await freePort();
    ports.set(`${name}-port`, port);
    const command = [process.execPath, program, name];
    const place = ["--namespace", namespace, "--service", `backend-${name}`, "--port", String(port)];
    const backend = mesh.ripstop(["run", ...place, "--", ...command], tls);
    backends.set(name, backend);
    void backend.ended.then((code) => {
      if (code !== 0 && code !== null)
        process.stderr.write(`the backend ${name} ended with ${String(code)}:\n${backend.output().slice(-2000)}\n`);
    });
  }

  const gateways = gatewayNames(cases);
  const addresses = new Map(gateways.map((name, at) => [name, `127.41.${Math.floor(at / 200)}.${(at % 200) + 1}`]));
  const offset = randomInt(10_000, 20_000);
  const own = alone(cases);
  const together = gateways.filter((name) => !own.includes(name));
  const groups = Array.from({ length: Math.ceil(together.length / GATEWAYS_A_PROCESS) }, (_, at) =>
    together.slice(at * GATEWAYS_A_PROCESS, (at + 1) * GATEWAYS_A_PROCESS),
  );
  const edges = [...groups, ...own.map((name) => [name])].map((names) =>
    mesh.ripstop(["gateway", ...names, "--namespace", NAMESPACE, "--port-offset", String(offset)]),
  );

  const prepare = (manifest: Manifest): string => {
    let text = JSON.stringify(manifest);
    for (const [name, port] of ports)
      text = text.replaceAll(`"backend-${name}"`, String(port)).replaceAll(`"${name}"`, String(port));
    const address = manifest.kind === "Gateway" ? addresses.get(manifest.metadata.name) : undefined;
    if (address === undefined || "addresses" in (manifest["spec"] as object)) return text;
    const spec = { ...(JSON.parse(text) as { spec: object }).spec, addresses: [{ type: "IPAddress", value: address }] };
    return JSON.stringify({ ...manifest, spec });
  };

  const settled = async (answer: { readonly status: number; readonly body: string }): Promise<string | undefined> => {
    if (answer.status !== 200) return answer.body;
    const { revision } = JSON.parse(answer.body) as { revision: number };
    await mesh.api("GET", `/v1/revisions/${revision}/live?waitMs=${LIVE_WAIT_MS}`);
    return undefined;
  };
  const resourcePath = (resource: string): string => {
    const [kind = "", key = ""] = resource.split(" ");
    return `/v1/resources/${kind}/${key.includes("/") ? key : `-/${key}`}`;
  };
  const apply = async (manifests: readonly Manifest[]): Promise<string | undefined> => {
    const documents = manifests.map((manifest) => ({ file: manifest.metadata.name, text: prepare(manifest) }));
    return await settled(await mesh.api("POST", "/v1/apply", { documents, author: "", reason: "", dryRun: false }));
  };

  const meshClients = new Map<string, ConformanceClient>();
  for (const namespace of new Set(cases.flatMap(({ steps }) => steps.flatMap(asker))))
    meshClients.set(namespace, await ConformanceClient.start(mesh, namespace));
  const expected = backends.size + meshClients.size + edges.length;
  const ready = mesh.until("everything is ready", async () => {
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { ready: boolean }[];
    };
    return workloads.length === expected && workloads.every(({ ready }) => ready) ? true : undefined;
  });
  await ready.catch((error: unknown) => {
    const said = [...edges, ...backends.values()].map((one) => one.output().slice(-600)).join("\n");
    throw new Error(said, { cause: error });
  });
  const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls" };
  const pair = { "tls.crt": server.chainPem, "tls.key": server.keyPem };
  const clientPair = { "tls.crt": clients.known.chainPem, "tls.key": clients.known.keyPem };
  const refused = await apply([
    { ...secret, metadata: { name: "certificate", namespace: NAMESPACE }, stringData: pair },
    { ...secret, metadata: { name: "certificate", namespace: OTHER_NAMESPACE }, stringData: pair },
    { ...secret, metadata: { name: "client-certificate", namespace: NAMESPACE }, stringData: clientPair },
    {
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "roots", namespace: NAMESPACE } },
      data: { "ca.crt": known.bundlePem },
    },
    {
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "other-roots", namespace: NAMESPACE } },
      data: { "ca.crt": unknown.bundlePem },
    },
    ...commonManifests(),
  ]);
  if (refused !== undefined) throw new Error(`the resources that all cases share were refused: ${refused}`);

  return {
    apply,
    async remove(resource) {
      await settled(await mesh.api("DELETE", resourcePath(resource)));
    },
    async get(resource) {
      const { status, body } = await mesh.api("GET", resourcePath(resource));
      return status === 200 ? JSON.parse(body) : undefined;
    },
    async generated(gateway) {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: Generated[] };
      return workloads.filter(({ labels }) => labels["gateway.networking.k8s.io/gateway-name"] === gateway);
    },
    ask(request, host) {
      const { from, via = "edge", scheme = "http", certificate } = request;
      if (from !== undefined) {
        const own = request.instance === undefined ? undefined : ports.get(`${request.instance}-port`);
        const to = own === undefined ? (request.host ?? host) : `127.0.0.1:${own}`;
        return meshClients.get(from)?.ask(request, to) ?? Promise.reject(new Error(from));
      }
      const port = request.port ?? (scheme === "https" || scheme === "tls" ? 443 : 80);
      const client = certificate === undefined ? undefined : clients[certificate];
      return ask(request, {
        ...{ address: addresses.get(via) ?? "127.0.0.1", port: port + offset, host, roots: known.bundlePem },
        ...(client === undefined ? {} : { client: { cert: client.chainPem, key: client.keyPem } }),
      });
    },
    printed: (backend) => backends.get(backend)?.output() ?? "",
    stop: () => mesh.stop(),
  };
}

function asker(step: Case["steps"][number]): readonly string[] {
  const from = "ask" in step ? step.ask.from : "share" in step ? step.share.from : undefined;
  return from === undefined ? [] : [from];
}

/** The Gateways of the cases' namespace. */
function gatewaysOf(cases: readonly Case[]): readonly Manifest[] {
  return cases
    .flatMap(({ resources = [], steps }) => [
      ...resources,
      ...steps.flatMap((step) => ("apply" in step ? step.apply : [])),
    ])
    .filter(({ kind, metadata }) => kind === "Gateway" && metadata.namespace === NAMESPACE);
}

/** Names of the Gateways that a proxy must serve. */
function gatewayNames(cases: readonly Case[]): readonly string[] {
  return [...new Set(["edge", ...gatewaysOf(cases).map(({ metadata }) => metadata.name)])];
}

/** Names of those whose proxy must be their own: it carries their labels. */
function alone(cases: readonly Case[]): readonly string[] {
  const names = gatewaysOf(cases).flatMap(({ metadata, spec }) =>
    "infrastructure" in (spec as object) ? [metadata.name] : [],
  );
  return [...new Set(names)];
}
