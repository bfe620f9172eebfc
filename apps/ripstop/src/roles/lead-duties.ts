// What one of a proxy's processes does for all of them: it writes the state directory and serves the admin socket and the
// metrics port, with the figures of all processes together.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DiscoveryClient } from "@ripstop/discovery/client";
import { stateFiles, type ProxyBootstrap, type WorkerQuestion } from "@ripstop/model";
import type { Proxy } from "@ripstop/proxy-engine";
import type { AdminServer, WorkerAnswer } from "@ripstop/proxy-engine/admin";
import type { Logger, MetricRegistry } from "@ripstop/telemetry";
import { tell } from "./supervisor-channel.ts";

/** What the duties need. */
export interface LeadParts {
  readonly directory: string;
  readonly bootstrap: ProxyBootstrap;
  readonly proxy: Proxy;
  readonly client: DiscoveryClient;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
}

/** Duties of the lead, and answers to it. */
export class LeadDuties {
  readonly #parts: LeadParts;
  readonly #questions = new Map<number, (answers: readonly WorkerAnswer[]) => void>();
  #nextId = 1;
  #endpoints: readonly AdminServer[] = [];
  #begun = false;
  #ended = false;

  constructor(parts: LeadParts) {
    this.#parts = parts;
  }

  /** This process is the lead from now on. A second call does nothing. */
  async begin(): Promise<void> {
    if (this.#begun || this.#ended) return;
    this.#begun = true;
    const { directory, bootstrap, proxy, client, log, metrics } = this.#parts;
    client.lead();
    // Loaded when it is needed: traffic comes first.
    const { startAdmin, startMetrics } = await import("@ripstop/proxy-engine/admin");
    const path = join(directory, stateFiles.adminSocket);
    const askOthers = (question: WorkerQuestion): Promise<readonly WorkerAnswer[]> => this.#askOthers(question);
    // A proxy that was killed leaves its socket file.
    rmSync(path, { force: true });
    const admin = await startAdmin({ proxy, metrics, path, askOthers });
    const endpoints: AdminServer[] = [];
    if (admin.ok) endpoints.push(admin.value);
    else log.warn("no admin socket; traffic is not concerned", { cause: admin.error.message });
    if (bootstrap.metricsPort !== undefined) {
      const endpoint = await startMetrics({ proxy, metrics, port: bootstrap.metricsPort, askOthers });
      if (endpoint.ok) endpoints.push(endpoint.value);
      else log.warn("no metrics endpoint; traffic is not concerned", { cause: endpoint.error.message });
    }
    this.#endpoints = endpoints;
    if (this.#ended) await this.end();
  }

  /** Leaves socket, port and files to another process. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
    this.#endpoints = [];
  }

  /** This process's answer to the lead. */
  async answer(question: WorkerQuestion): Promise<unknown> {
    const { answerQuestion } = await import("@ripstop/proxy-engine/admin");
    return answerQuestion(this.#parts, question);
  }

  /** The others' answers to a question of this process. */
  answered(id: number, answers: readonly WorkerAnswer[]): void {
    this.#questions.get(id)?.(answers);
    this.#questions.delete(id);
  }

  #askOthers(question: WorkerQuestion): Promise<readonly WorkerAnswer[]> {
    if (!process.connected) return Promise.resolve([]);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#questions.set(id, resolve);
      tell({ type: "ask", id, question });
    });
  }
}
