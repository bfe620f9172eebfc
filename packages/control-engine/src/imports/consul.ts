// Imports the healthy instances of a service from Consul's catalog: GET /v1/health/service/:service with blocking queries
// (https://developer.hashicorp.com/consul/api-docs/features/blocking).

import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { isRecord, type ConsulSpec } from "@ripstop/resources";

import { REGION_LABEL, ZONE_LABEL } from "../compile/locality.ts";
import { bounded, type ImportAnswer, type ImportedInstance, type ImportSource } from "./import-source.ts";

/** What is needed beside the spec. */
export interface ConsulOptions {
  readonly clock: Clock;
  /** The token as of now; undefined when none is wanted, a sentence in `error` when it is not there. */
  token(): Result<string | undefined, string>;
}

const WAIT_S = 60;
/** Consul adds up to a sixteenth to the wait; the rest is for slow networks. */
const TIMEOUT_MS = (WAIT_S + WAIT_S / 16 + 15) * 1_000;
/** Between two questions, however quickly the catalog changes: its documentation asks clients to limit themselves. */
const PAUSE_MS = 1_000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_STALE_MS = 60_000;
const MAX_LABELS = 64;
const MAX_WEIGHT = 1_000_000;

/** A source of the instances of one service. */
export class ConsulSource implements ImportSource {
  readonly #spec: ConsulSpec;
  readonly #options: ConsulOptions;
  /** X-Consul-Index of the last answer; 0 asks for an answer at once. */
  #index = 0n;

  constructor(spec: ConsulSpec, options: ConsulOptions) {
    this.#spec = spec;
    this.#options = options;
  }

  async ask(signal: AbortSignal): Promise<Result<ImportAnswer, string>> {
    const token = this.#options.token();
    if (!token.ok) return token;
    const answer = await this.#get(token.value, signal);
    const read = answer.ok ? readAnswer(answer.value, this.#spec.stale) : answer;
    if (!read.ok) {
      // After an error the state is asked for anew: nothing may be missed that changed meanwhile.
      this.#index = 0n;
      return read;
    }
    const { index, instances, skipped } = read.value;
    // An index that goes backwards (servers restored, the service's last instance gone) begins anew; one below 1 would not block.
    this.#index = index < this.#index ? 0n : index < 1n ? 1n : index;
    const { note, instances: kept } = bounded(instances);
    const notes = [note, skipped > 0 ? `${skipped} entries are left out: they have no usable address and port` : ""];
    return ok({ instances: kept, note: notes.filter((one) => one !== "").join("; "), againMs: PAUSE_MS });
  }

  #get(token: string | undefined, signal: AbortSignal): Promise<Result<HttpAnswer, string>> {
    const { url, service, datacenter, filter, stale, caCertificates } = this.#spec;
    const target = new URL(`/v1/health/service/${encodeURIComponent(service)}`, url);
    const query = new URLSearchParams({ passing: "true" });
    if (datacenter !== undefined) query.set("dc", datacenter);
    if (filter !== undefined) query.set("filter", filter);
    if (stale) query.set("stale", "");
    if (this.#index > 0n) {
      query.set("index", String(this.#index));
      query.set("wait", `${WAIT_S}s`);
    }
    target.search = query.toString();
    const headers = { accept: "application/json", ...(token === undefined ? {} : { "x-consul-token": token }) };
    return new Promise((resolve) => {
      const options = { method: "GET", agent: false, signal, headers };
      const outgoing =
        target.protocol === "https:"
          ? httpsRequest(target, {
              ...options,
              minVersion: "TLSv1.2",
              ...(caCertificates === undefined ? {} : { ca: caCertificates }),
            })
          : httpRequest(target, options);
      const timer = this.#options.clock.after(TIMEOUT_MS, () => outgoing.destroy(new Error("it does not answer")));
      const done = (result: Result<HttpAnswer, string>): void => {
        timer.clear();
        resolve(result);
      };
      outgoing.on("error", (error) => done(err(`Consul at ${target.host}: ${error.message}`)));
      outgoing.on("response", (incoming) => {
        const chunks: Buffer[] = [];
        let length = 0;
        incoming.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length <= MAX_BYTES) chunks.push(chunk);
          else outgoing.destroy(new Error(`the answer is longer than ${MAX_BYTES} bytes`));
        });
        incoming.on("error", (error) => done(err(`Consul at ${target.host}: ${error.message}`)));
        incoming.on("end", () =>
          done(
            ok({
              host: target.host,
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              text: Buffer.concat(chunks).toString("utf8"),
            }),
          ),
        );
      });
      outgoing.end();
    });
  }
}

interface HttpAnswer {
  readonly host: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Read {
  readonly index: bigint;
  readonly instances: readonly ImportedInstance[];
  /** Entries that are no instances. */
  readonly skipped: number;
}

function readAnswer({ host, status, headers, text }: HttpAnswer, stale: boolean): Result<Read, string> {
  // The body of an error may hold anything: it is not repeated.
  if (status !== 200) return err(`Consul at ${host} answers ${status}${hintOf(status)}`);
  if (header(headers, "x-consul-knownleader") === "false")
    return err(`Consul at ${host} knows no leader: what it says may be old`);
  if (stale && Number(header(headers, "x-consul-lastcontact") || "0") > MAX_STALE_MS)
    return err(`the server behind ${host} has not heard of Consul's leader for more than ${MAX_STALE_MS / 1_000} s`);
  if (header(headers, "x-consul-results-filtered-by-acls") === "true")
    return err(`the token may not see all instances at Consul ${host}: it needs node:read and service:read`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return err(`Consul at ${host} answers something that is no JSON`);
  }
  if (!Array.isArray(body)) return err(`Consul at ${host} answers something that is no list of instances`);
  const instances = body.flatMap((entry: unknown) => readEntry(entry) ?? []);
  const index = header(headers, "x-consul-index");
  return ok({
    index: /^[0-9]{1,20}$/.test(index) ? BigInt(index) : 0n,
    instances,
    skipped: body.length - instances.length,
  });
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

function hintOf(status: number): string {
  if (status === 403) return ": the token is not good for it";
  return status === 500 ? ": it may have no leader" : "";
}

/** One entry of the list; undefined when it has no address and port. */
function readEntry(entry: unknown): ImportedInstance | undefined {
  if (!isRecord(entry)) return undefined;
  const service = recordIn(entry, "Service");
  const node = recordIn(entry, "Node");
  const host = textIn(service, "Address") || textIn(node, "Address");
  const port = service["Port"];
  if (!isHost(host) || typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535)
    return undefined;
  const weight = recordIn(service, "Weights")["Passing"];
  return {
    host,
    port,
    priority: 0,
    weight: typeof weight === "number" && weight >= 0 ? Math.min(MAX_WEIGHT, Math.trunc(weight)) : 1,
    labels: labelsOf(service, node),
  };
}

/** Metadata of the service is its labels; the locality of the service or of its node tells where it is. */
function labelsOf(
  service: Readonly<Record<string, unknown>>,
  node: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(recordIn(service, "Meta")).slice(0, MAX_LABELS)) {
    if (typeof value === "string" && key.length <= 128 && value.length <= 512) labels[key] = value;
  }
  for (const place of [recordIn(node, "Locality"), recordIn(service, "Locality")]) {
    const region = textIn(place, "Region");
    const zone = textIn(place, "Zone");
    if (region !== "") labels[REGION_LABEL] = region;
    if (zone !== "") labels[ZONE_LABEL] = zone;
  }
  return labels;
}

function recordIn(value: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  const inner = value[key];
  return isRecord(inner) ? inner : {};
}

function textIn(value: Readonly<Record<string, unknown>>, key: string): string {
  const inner = value[key];
  return typeof inner === "string" ? inner : "";
}

/** An address or a host name; nothing that would mean something else in "HOST:PORT". */
function isHost(text: string): boolean {
  return text.length <= 253 && /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/.test(text);
}
