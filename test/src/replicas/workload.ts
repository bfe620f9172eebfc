// Clients that write and read registers on every control plane and record what they saw, and one that sends requests
// through proxies.

import { performance } from "node:perf_hooks";

import type { MeshClient } from "../http-client.ts";
import type { Operation } from "./history.ts";
import type { Replica } from "./replica.ts";

/** What the clients recorded. */
export interface Recorded {
  /** For the checker: writes, and reads that were said to be current. */
  readonly operations: Operation[];
  /** Revision of each acknowledged write → its value. */
  readonly acknowledged: Map<number, string>;
  /** Reads that the answer said may be old. */
  stale: number;
  /** Writes that were refused for certain, and calls that got no answer. */
  refused: number;
  unanswered: number;
}

interface Register {
  readonly metadata: { readonly labels: { readonly value: string } };
}

const KEYS = 4;
const PAUSE_MS = 20;

/** Writers and readers on all replicas until `stop`. */
export class RegisterClients {
  readonly recorded: Recorded = { operations: [], acknowledged: new Map(), stale: 0, refused: 0, unanswered: 0 };
  readonly #running: Promise<void>[] = [];
  #stopped = false;
  #nextValue = 1;

  /** `each`: writers and readers on each replica. */
  constructor(replicas: readonly Replica[], each: number) {
    for (const replica of replicas)
      for (let index = 0; index < each; index++)
        this.#running.push(
          this.#loop(() => this.#write(replica)),
          this.#loop(() => this.#read(replica)),
        );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Reads every key once on a replica, for the record. */
  async readAll(replica: Replica): Promise<void> {
    for (let key = 0; key < KEYS; key++) {
      // oxlint-disable-next-line no-await-in-loop -- one client
      await this.#read(replica, `k${key}`);
    }
  }

  async #loop(step: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      // oxlint-disable no-await-in-loop -- a client does one thing after the other
      await step();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      // oxlint-enable no-await-in-loop
    }
  }

  async #write(replica: Replica): Promise<void> {
    const value = `v${this.#nextValue++}`;
    const key = `k${this.#nextValue % KEYS}`;
    const text = JSON.stringify({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: key, namespace: "registers", labels: { value } },
      spec: { selector: { app: key }, ports: [{ port: 80 }] },
    });
    const startMs = performance.now();
    const answer = await replica.api("POST", "/v1/apply", { documents: [{ file: key, text }], reason: value });
    const known = { key, kind: "write", value, startMs, client: replica.name } as const;
    if (answer?.status === 200) {
      this.recorded.operations.push({ ...known, endMs: performance.now() });
      this.recorded.acknowledged.set((JSON.parse(answer.body) as { revision: number }).revision, value);
      return;
    }
    if (answer !== undefined && answer.status < 500) throw new Error(`${replica.name}: ${answer.body}`);
    if (answer === undefined) this.recorded.unanswered++;
    else this.recorded.refused++;
    // Not acknowledged: it may be there all the same.
    this.recorded.operations.push({ ...known, endMs: Number.POSITIVE_INFINITY });
  }

  async #read(replica: Replica, key: string = `k${Math.floor(Math.random() * KEYS)}`): Promise<void> {
    const startMs = performance.now();
    const answer = await replica.api("GET", `/v1/resources/Service/registers/${key}`);
    const endMs = performance.now();
    if (answer === undefined) {
      this.recorded.unanswered++;
      return;
    }
    if (answer.consistency !== "linearizable") {
      this.recorded.stale++;
      return;
    }
    if (answer.status !== 200 && answer.status !== 404) throw new Error(`${replica.name}: ${answer.body}`);
    const value = answer.status === 404 ? "" : (JSON.parse(answer.body) as Register).metadata.labels.value;
    this.recorded.operations.push({ key, kind: "read", value, startMs, endMs, client: replica.name });
  }
}

/** Requests through proxies, one after the other, until `stop`. */
export class Traffic {
  sent = 0;
  readonly failures: string[] = [];
  readonly #client: MeshClient;
  readonly #running: Promise<void>;
  #stopped = false;
  /** What the newest answer said of the round (a header that a route sets). */
  round = "";

  constructor(client: MeshClient) {
    this.#client = client;
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      // oxlint-disable no-await-in-loop -- one request after the other
      const { status, headers, body } = await this.#client.send("http://echo.default/");
      this.sent++;
      this.round = headers["x-round"] ?? "";
      if (status !== 200) this.failures.push(`${status} ${body.slice(0, 200)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      // oxlint-enable no-await-in-loop
    }
  }
}
