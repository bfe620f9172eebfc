// A Gateway of the tests: its proxy, its config written by hand, and clients that speak TLS to it.

import assert from "node:assert/strict";
import { request as httpsRequest, type Agent } from "node:https";
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from "node:tls";
import {
  Endpoint_Reach,
  GatewayListener_Kind,
  gatewayRouteName,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  type Endpoint,
  type Gateway,
  type GatewayListener,
  type GatewayRoute,
  type HttpRule,
  type KeyPair,
  type MatchPrecedence,
  type PathMatch_Type,
  type StreamRule,
} from "@ripstop/model";
import { TestAuthority } from "@ripstop/testkit";
import type { HostedGateway } from "../gateway/hosted-gateway.ts";
import { rule, type TestMesh, type TestProxy, type TestWorkload } from "./test-mesh.suite.ts";
import { eventually, type Answer, type Ask, type Started } from "./test-peers.suite.ts";

/** A listener of the tests. */
export function listener(name: string, port: number, parts: Partial<GatewayListener> = {}): GatewayListener {
  return { name, port, kind: GatewayListener_Kind.HTTP, hostname: "", certificates: [], ...parts };
}

/** A rule with the precedence that an HTTPRoute's match would have. */
export function httpRule(service: string, parts: Partial<HttpRule> & { readonly port?: number } = {}): HttpRule {
  const { port = 8080, ...rest } = parts;
  const made = rule(service === "" ? [] : [[service, port, 1]], rest);
  const kinds: readonly PathMatch_Type[] = [0, 2, 1];
  const precedence: MatchPrecedence = {
    ranks: [kinds[made.path?.type ?? 0] ?? 0, made.path?.value.length ?? 1, made.method === "" ? 0 : 1],
  };
  return { ...made, precedence };
}

/** A rule for connections, by [service, port, weight]; service "" is an invalid one. */
export function streamRule(...backends: readonly (readonly [string, number, number])[]): StreamRule {
  return { source: "TCPRoute shop/test rule 0", backends: rule(backends).backends };
}

/** What is attached where. */
export interface TestRoute {
  /** "NAMESPACE/NAME". */
  readonly name: string;
  readonly kind?: string;
  readonly created?: string;
  /** Listener → host names. */
  readonly listeners: Readonly<Record<string, readonly string[]>>;
  readonly http?: readonly HttpRule[];
  readonly streams?: readonly StreamRule[];
}

/** The Gateway "infra/NAME" in a proxy of its own. */
export class TestGateway {
  readonly name: string;
  readonly mesh: TestMesh;
  readonly started: TestProxy;
  readonly #routes = new Map<string, string>();
  readonly #id: string;

  private constructor(mesh: TestMesh, started: TestProxy, place: { readonly id: string; readonly name: string }) {
    this.mesh = mesh;
    this.started = started;
    this.#id = place.id;
    this.name = place.name;
  }

  /** Starts the proxy; nothing is configured yet. */
  static async start(
    mesh: TestMesh,
    name: string = "infra/edge",
    parts: Partial<TestWorkload> = {},
  ): Promise<TestGateway> {
    const id = `${name}-1`;
    const gateway = { names: [name.slice(name.indexOf("/") + 1)], address: "127.0.0.1", portOffset: 0 };
    const started = await mesh.start({ id, service: `${name}-gateway`, gateway, ...parts });
    return new TestGateway(mesh, started, { id, name });
  }

  get hosted(): HostedGateway {
    const found = this.started.proxy.workloads.get(this.#id)?.gateways.find(({ gateway }) => gateway === this.name);
    if (found === undefined) throw new Error("there is no such gateway");
    return found;
  }

  /** Puts listeners in force and waits until exactly their ports are open. */
  async listen(listeners: readonly GatewayListener[], parts: Partial<Gateway> = {}): Promise<void> {
    this.mesh.config.set(gatewayType, this.name, {
      name: this.name,
      listeners: [...listeners],
      addresses: [],
      policies: [],
      ...parts,
    });
    const ports = new Set(listeners.map(({ port }) => `127.0.0.1:${port}`));
    await eventually(() => {
      const { addresses } = this.hosted;
      return addresses.length === ports.size && addresses.every((address) => ports.has(address));
    });
  }

  /** Puts a route in force, in the place of the one of that kind and name. */
  route({
    name,
    kind = "HTTPRoute",
    created = "2026-01-01T00:00:00Z",
    listeners,
    http = [],
    streams = [],
  }: TestRoute): void {
    const resource = gatewayRouteName(this.name, kind, name);
    const route: GatewayRoute = {
      name: resource,
      created,
      attachments: Object.entries(listeners).map(([listenerName, hostnames]) => ({
        listener: listenerName,
        hostnames: [...hostnames],
      })),
      http: [...http],
      streams: [...streams],
    };
    this.#routes.set(resource, resource);
    this.mesh.config.set(gatewayRouteType, resource, route);
    this.#list();
  }

  remove(name: string, kind: string = "HTTPRoute"): void {
    this.#routes.delete(gatewayRouteName(this.name, kind, name));
    this.#list();
  }

  /** Ends the mesh, then the peers: its proxies took all config, and what lived here is over. */
  async end(peers: readonly Started[]): Promise<void> {
    assert.deepEqual(this.mesh.config.refused, []);
    const { live } = this.started.proxy;
    await eventually(() => live.tunnels === 0 && live.exchanges === 0);
    await this.mesh.close();
    for (const peer of peers) await peer.close();
  }

  #list(): void {
    this.mesh.config.set(gatewayRoutesType, this.name, { gateway: this.name, routes: [...this.#routes.keys()].sort() });
  }
}

/** Certificates of the world outside the mesh. */
export class OutsideAuthority {
  readonly authority: TestAuthority;

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async create(): Promise<OutsideAuthority> {
    return new OutsideAuthority(await TestAuthority.create("outside"));
  }

  get rootsPem(): string {
    return this.authority.bundlePem;
  }

  async certificate(...dnsNames: readonly string[]): Promise<KeyPair> {
    const { chainPem, keyPem } = await this.authority.issue("spiffe://outside/x", { uris: [], dnsNames });
    return { chainPem, keyPem };
  }
}

/** A finished TLS handshake of a client, or why there is none. */
export function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ ...options, host: "127.0.0.1", port });
    socket.on("error", reject);
    socket.once("secureConnect", () => resolve(socket));
    socket.once("close", () => reject(new Error("closed")));
  });
}

/** HTTPS to the gateway: `serverName` in the handshake, `host` in the request. */
export interface SecureAsk extends Ask {
  readonly serverName: string;
  readonly host?: string;
  readonly path?: string;
  readonly roots: string;
  readonly certificate?: KeyPair;
  readonly agent?: Agent;
}

/** Asks over HTTPS, HTTP/1.1. */
export function fetchSecure(port: number, ask: SecureAsk): Promise<Answer> {
  const { serverName, host = serverName, path = "/", roots, certificate, agent, headers, method = "GET", body } = ask;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        servername: serverName,
        ca: roots,
        ...(certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.keyPem }),
        headers: { host, ...headers },
        agent: agent ?? false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("latin1"),
          }),
        );
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** A backend outside the mesh at a host and port. */
export function outsideEndpoint(port: number, targetPorts: Record<number, number>): Endpoint {
  return {
    id: `127.0.0.1:${port}`,
    reach: Endpoint_Reach.PLAIN,
    address: `127.0.0.1:${port}`,
    spiffeId: "",
    weight: 1,
    healthy: true,
    locality: undefined,
    targetPorts,
    version: "",
  };
}
