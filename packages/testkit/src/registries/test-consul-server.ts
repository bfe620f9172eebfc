// The part of Consul's HTTP API that an importer uses, as its documentation describes it: GET /v1/health/service/:service
// with blocking queries (https://developer.hashicorp.com/consul/api-docs/health, .../features/blocking).

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

import { systemClock, type Timer } from "@ripstop/core";

/** An instance as a test names it. */
export interface TestConsulInstance {
  /** Of the node. */
  readonly nodeAddress: string;
  /** Of the service; "" when it is that of the node. */
  readonly address: string;
  readonly port: number;
  readonly meta?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly status?: "passing" | "warning" | "critical";
  readonly zone?: string;
}

/** One question. */
export interface ConsulQuestion {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly token: string | undefined;
}

/** A running server on loopback. */
export class TestConsulServer {
  /** Service → its instances. */
  readonly #services = new Map<string, readonly TestConsulInstance[]>();
  readonly asked: ConsulQuestion[] = [];
  /** Questions without this token get 403; "" takes all. */
  token = "";
  /** Sent in place of answers while it is there. */
  override: { readonly status: number; readonly headers?: Record<string, string>; readonly body: string } | undefined;
  /** Further headers of every answer. */
  headers: Record<string, string> = { "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0" };
  index = 5;
  readonly #waiting = new Set<() => void>();
  readonly #server: Server;
  readonly #isTls: boolean;

  private constructor(server: Server, isTls: boolean) {
    this.#server = server;
    this.#isTls = isTls;
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => this.#serve(incoming, outgoing));
  }

  /** Starts it; with a certificate it speaks TLS. */
  static async start(tls?: { readonly cert: string; readonly key: string }): Promise<TestConsulServer> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TestConsulServer(server, tls !== undefined);
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return this.#isTls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  }

  /** Questions that wait for a change. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The service has these instances from now on; whoever waits is answered. */
  set(service: string, instances: readonly TestConsulInstance[]): void {
    this.#services.set(service, instances);
    this.index++;
    this.wake();
  }

  /** Answers whoever waits. */
  wake(): void {
    for (const answer of [...this.#waiting]) answer();
  }

  /** Ends it, and every connection. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const url = new URL(incoming.url ?? "/", "http://consul");
    const query = Object.fromEntries(url.searchParams);
    const token = incoming.headers["x-consul-token"];
    this.asked.push({ path: url.pathname, query, token: typeof token === "string" ? token : undefined });
    const answer = (): void => this.#answer(url, outgoing, typeof token === "string" ? token : "");
    const index = Number(query["index"] ?? "0");
    if (this.override !== undefined || index === 0 || index !== this.index) {
      answer();
      return;
    }
    // Blocks until something changes or the wait is over.
    const end = (): void => {
      timer.clear();
      this.#waiting.delete(end);
      answer();
    };
    const timer: Timer = systemClock.after(waitMs(query["wait"]), end);
    this.#waiting.add(end);
    outgoing.on("close", () => {
      timer.clear();
      this.#waiting.delete(end);
    });
  }

  #answer(url: URL, outgoing: ServerResponse, token: string): void {
    const { override } = this;
    if (override !== undefined) {
      outgoing.writeHead(override.status, { ...override.headers }).end(override.body);
      return;
    }
    const found = /^\/v1\/health\/service\/([^/]+)$/.exec(url.pathname);
    if (found === null) {
      outgoing.writeHead(404).end();
      return;
    }
    if (this.token !== "" && token !== this.token) {
      outgoing.writeHead(403).end("rpc error making call: Permission denied: token lacks permission");
      return;
    }
    const service = decodeURIComponent(found[1] ?? "");
    const all = this.#services.get(service) ?? [];
    const passing = url.searchParams.has("passing")
      ? all.filter(({ status = "passing" }) => status === "passing")
      : all;
    outgoing
      .writeHead(200, { "Content-Type": "application/json", "X-Consul-Index": String(this.index), ...this.headers })
      .end(JSON.stringify(passing.map((one, at) => entryOf(service, one, at))));
  }
}

/** "10s", "5m", "100ms"; five minutes when it does not say. */
function waitMs(text: string | undefined): number {
  const [, digits = "5", unit = "m"] = /^([0-9]+)(ms|s|m)$/.exec(text ?? "") ?? [];
  return Number(digits) * (unit === "ms" ? 1 : unit === "s" ? 1_000 : 60_000);
}

/** An entry with the fields of the documentation's sample response. */
function entryOf(service: string, instance: TestConsulInstance, at: number): object {
  const { nodeAddress, address, port, meta = {}, weight = 1, status = "passing", zone } = instance;
  const node = `node-${at}`;
  return {
    Node: {
      ID: "40e4a748-2192-161a-0510-9bf59fe950b5",
      Node: node,
      Address: nodeAddress,
      Datacenter: "dc1",
      TaggedAddresses: { lan: nodeAddress, wan: nodeAddress },
      Meta: { instance_type: "t2.medium" },
      ...(zone === undefined ? {} : { Locality: { Region: "eu", Zone: zone } }),
    },
    Service: {
      ID: `${service}-${at}`,
      Service: service,
      Tags: ["primary"],
      Address: address,
      TaggedAddresses: { lan: { address, port } },
      Meta: meta,
      Port: port,
      Weights: { Passing: weight, Warning: 1 },
      Namespace: "default",
    },
    Checks: [
      {
        Node: node,
        CheckID: `service:${service}`,
        Name: `Service '${service}' check`,
        Status: status,
        Notes: "",
        Output: "",
        ServiceID: `${service}-${at}`,
        ServiceName: service,
        ServiceTags: ["primary"],
        Namespace: "default",
      },
    ],
  };
}
