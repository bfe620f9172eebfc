// A control plane on a throwaway home, and a client of its API; for tests.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "@ripstop/core";
import { startDiscoveryClient, type DiscoveryClient } from "@ripstop/discovery/client";
import { createPeerVerification } from "@ripstop/identity";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { ApplyResponse, RegisterRequest, RegisterResponse, ResourceType } from "@ripstop/model";
import { createMetricRegistry } from "@ripstop/telemetry";
import { PatientClock } from "@ripstop/testkit";

import { startControl } from "./control.ts";
import type { Control, ControlOptions } from "./control-options.ts";

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** The body as JSON. */
  json<T>(): T;
}

/** Where to send a request. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** Sends one request on a connection of its own. */
export function send(
  target: Target,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...target, method, path, agent: false, headers }, (response) =>
      resolve(readAnswer(response)),
    );
    sendBody(request, body, reject);
  });
}

/** The whole of a response. */
export function readAnswer(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (text += chunk));
    response.on("error", reject);
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: <T>() => JSON.parse(text) as T,
      }),
    );
  });
}

/** Ends a request with `body`: text as it is, else as JSON; undefined is no body. */
export function sendBody(request: ClientRequest, body: unknown, reject: (error: Error) => void): void {
  request.on("error", reject);
  if (body !== undefined) request.write(typeof body === "string" ? body : JSON.stringify(body));
  request.end();
}

/** A registered workload with its key. */
export interface TestWorkload extends RegisterResponse {
  readonly keyPem: string;
}

/** A mesh home and the control plane on it. */
export class TestControl {
  readonly home: string;
  readonly #options: Partial<ControlOptions>;
  readonly #clients: DiscoveryClient[] = [];
  control: Control;

  private constructor(home: string, control: Control, options: Partial<ControlOptions>) {
    this.home = home;
    this.control = control;
    this.#options = options;
  }

  static async start(options: Partial<ControlOptions> = {}): Promise<TestControl> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), "ripstop-control-")));
    return new TestControl(home, await open(home, options), options);
  }

  get socket(): Target {
    return { socketPath: this.control.apiSocket };
  }

  get loopback(): Target & { readonly port: number } {
    return { host: "127.0.0.1", port: Number(new URL(this.control.dashboardUrl).port) };
  }

  send(method: string, path: string, body?: unknown): Promise<Answer> {
    return send(this.socket, method, path, body);
  }

  /** Applies one text; throws unless it was taken. */
  async apply(text: string): Promise<ApplyResponse> {
    const answer = await this.send("POST", "/v1/apply", { documents: [{ file: "test.yaml", text }] });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json();
  }

  /** Registers a workload of namespace shop that listens. */
  async register(service: string, change: Partial<RegisterRequest> = {}): Promise<TestWorkload> {
    const { keyPem, csrPem } = await createKeyAndCsr(`spiffe://mesh.local/ns/shop/sa/${service}`);
    const request: RegisterRequest = {
      service,
      namespace: "shop",
      labels: {},
      ports: [{ port: 8080, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:8080" }],
      csrPem,
      pid: process.pid,
      ...change,
    };
    const answer = await this.send("POST", "/v1/workloads", request);
    if (answer.status !== 200) throw new Error(answer.text);
    const registered = answer.json<RegisterResponse>();
    await this.send("PUT", `/v1/workloads/${registered.workloadId}`, { inboundAddress: "127.0.0.1:9", ready: true });
    return { ...registered, keyPem };
  }

  /** A proxy's end of the config stream. */
  async client(workload: TestWorkload): Promise<DiscoveryClient> {
    const base = join(this.home, workload.workloadId.replace("/", "_"));
    const files = { svid: `${base}.svid`, key: `${base}.key`, bundle: `${base}.bundle`, cache: `${base}.cache` };
    await writeFile(files.svid, workload.svidChainPem);
    await writeFile(files.key, workload.keyPem);
    await writeFile(files.bundle, workload.bundlePem);
    const { controlAddresses, controlIdentity } = workload;
    const client = startDiscoveryClient({
      proxyId: workload.workloadId,
      controlAddresses,
      controlIdentity,
      files,
      verifyPeer: createPeerVerification(systemClock),
      clock: new PatientClock(),
      random: () => 0,
    });
    this.#clients.push(client);
    return client;
  }

  /** Closes the control plane and starts it again on the same home. */
  async restart(): Promise<void> {
    await this.control.close();
    this.control = await open(this.home, this.#options);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.control.close();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** Waits until the subscribed resource fulfils `condition`; undefined stands for one that is not there. */
export function resourceWhen<T>(
  client: DiscoveryClient,
  wanted: { readonly type: ResourceType<T>; readonly name: string },
  condition: (resource: T | undefined) => boolean,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const check = (resource: T | undefined): void => {
      if (!condition(resource)) return;
      resolve(resource);
      queueMicrotask(() => subscription.cancel());
    };
    const subscription = client.watch<T>(wanted.type, wanted.name, {
      onResource: check,
      onRemoved: () => check(undefined),
    });
  });
}

async function open(home: string, options: Partial<ControlOptions>): Promise<Control> {
  const started = await startControl({
    home,
    clock: new PatientClock(),
    version: "0.0.0-test",
    metrics: createMetricRegistry(),
    ...options,
  });
  if (!started.ok) throw new Error(`${started.error.kind.code} ${started.error.message}`);
  return started.value;
}
