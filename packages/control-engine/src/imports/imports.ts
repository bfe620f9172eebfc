// Instances that registries outside the mesh name, by the EndpointSources that say where to ask. Of several control planes
// the leader asks; what it learns is in a table of the store, so that all compile from the same set, and who leads next
// goes on from it.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import {
  secretValue,
  type EndpointSourceSpec,
  type Resource,
  type SecretSpec,
  type ServiceSpec,
} from "@ripstop/resources";
import type { Logger } from "@ripstop/telemetry";

import type { EventLog } from "../events/event-log.ts";
import type { Replication, Store, Table } from "../store/store.ts";
import { ConsulSource } from "./consul.ts";
import { DnsSrvSource } from "./dns-srv.ts";
import { ImportFollower, newRecord, type ImportRecord, type KeptInstance } from "./import-follower.ts";
import type { ImportSource } from "./import-source.ts";
import { importStatus } from "./import-status.ts";

/** What is needed to import. */
export interface ImportsOptions {
  readonly store: Store;
  readonly table: Table<ImportRecord>;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly replication?: Replication | undefined;
  readonly logger?: Logger;
  /** Instances of a source went, by their ids. */
  onGone?(source: string, ids: readonly string[]): void;
  /** Default: DNS and Consul. */
  readonly sourceOf?: (spec: EndpointSourceSpec) => ImportSource;
}

/** The instances that one EndpointSource gives a Service. */
export interface ImportedSet {
  /** Name of the EndpointSource. */
  readonly source: string;
  /** The Service's port that they serve; undefined: each. */
  readonly port: number | undefined;
  readonly instances: readonly KeptInstance[];
}

const KIND = "EndpointSource";
const WRITE_AGAIN_MS = 5_000;

/** The imported instances. */
export class Imports {
  readonly #options: ImportsOptions;
  readonly #resources = new Map<string, Resource<EndpointSourceSpec>>();
  /** "NAMESPACE/SERVICE" → names of its sources. */
  readonly #byService = new Map<string, Set<string>>();
  readonly #followers = new Map<string, ImportFollower>();
  /** The table, and what is on its way there. */
  readonly #records = new Map<string, ImportRecord>();
  /** By source: the last write under way, so that one does not overtake another. */
  readonly #writes = new Map<string, Promise<void>>();
  readonly #listeners = new Set<(service: string) => void>();
  readonly #stops: (() => void)[] = [];
  #failures = 0;
  #isClosed = false;

  constructor(options: ImportsOptions) {
    this.#options = options;
    const { store, table, replication } = options;
    for (const [name, record] of table.entries()) this.#records.set(name, record);
    for (const resource of store.list(KIND)) this.#index(resource as Resource<EndpointSourceSpec>);
    const watching = store.watch(store.revision, ({ changes }) => {
      for (const change of changes) {
        const resource = change.type === "put" ? change.resource : change.before;
        if (resource.kind === KIND) this.#reconcile(resource as Resource<EndpointSourceSpec>, change.type === "put");
        else if (resource.kind === "Secret") this.#secretChanged(resource);
      }
    });
    if (watching.ok) this.#stops.push(watching.value);
    this.#stops.push(
      table.watch((name, record) => {
        // Who asks knows better than the table, which is a little behind.
        if (this.#followers.has(name)) return;
        if (record === undefined) this.#records.delete(name);
        else this.#records.set(name, record);
        const resource = this.#resources.get(name);
        if (resource !== undefined) this.#tell(resource);
      }),
    );
    if (replication !== undefined) this.#stops.push(replication.onChange(() => this.#lead()));
    this.#lead();
  }

  /** Sources that are declared. */
  get size(): number {
    return this.#resources.size;
  }

  /** Questions that failed since the start, on this control plane. */
  get failures(): number {
    return this.#failures;
  }

  /** Instances of all sources. */
  get instances(): number {
    let sum = 0;
    for (const { instances } of this.records().values()) sum += instances.length;
    return sum;
  }

  /** What is known of each source, by its name. */
  records(): ReadonlyMap<string, ImportRecord> {
    return new Map([...this.#resources.values()].map((one) => [one.metadata.name, this.#record(one)]));
  }

  /** What a Service gets, in the order of the sources' names. */
  of(namespace: string, name: string): readonly ImportedSet[] {
    const sources = this.#byService.get(`${namespace}/${name}`);
    if (sources === undefined) return [];
    return [...sources].sort().flatMap((source) => {
      const resource = this.#resources.get(source);
      if (resource === undefined) return [];
      return [{ source, port: resource.spec.port, instances: this.#record(resource).instances }];
    });
  }

  /** "NAMESPACE/NAME" of the Service of a source; undefined when there is no such source. */
  serviceOf(source: string): string | undefined {
    const resource = this.#resources.get(source);
    return resource === undefined ? undefined : serviceOf(resource);
  }

  /** Calls `listener` with "NAMESPACE/SERVICE" when it has other instances, or other sources; returns how to stop. */
  onChange(listener: (service: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The resource with its status, when it is an EndpointSource. */
  withStatus(resource: Resource): Resource {
    if (resource.kind !== KIND) return resource;
    const source = resource as Resource<EndpointSourceSpec>;
    const service = this.#options.store.get(`Service/${serviceOf(source)}`) as Resource<ServiceSpec> | undefined;
    return { ...resource, status: importStatus(source, this.#record(source), service) };
  }

  /** Stops asking; what is known stays in the table. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#stopAsking();
    this.#isClosed = true;
    this.#listeners.clear();
  }

  /** One of several asks. */
  get #leads(): boolean {
    return this.#options.replication?.isLeader ?? true;
  }

  #lead(): void {
    if (!this.#leads) {
      if (this.#followers.size === 0) return;
      this.#stopAsking();
      // From now on the table knows better.
      this.#records.clear();
      for (const [name, record] of this.#options.table.entries()) this.#records.set(name, record);
      for (const resource of this.#resources.values()) this.#tell(resource);
      return;
    }
    // Those whose resource went while nobody led.
    for (const name of [...this.#records.keys()]) if (!this.#resources.has(name)) this.#write(name, undefined);
    for (const [name, resource] of this.#resources) if (!this.#followers.has(name)) this.#follow(resource);
  }

  #stopAsking(): void {
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
  }

  #reconcile(resource: Resource<EndpointSourceSpec>, isThere: boolean): void {
    const { name } = resource.metadata;
    const before = this.#resources.get(name);
    this.#followers.get(name)?.close();
    this.#followers.delete(name);
    if (before !== undefined) this.#unindex(before);
    if (isThere) {
      this.#index(resource);
      if (this.#leads) {
        // What it gave stays until the new description is answered; how the old one stood does not.
        if (before !== undefined && JSON.stringify(before.spec) !== JSON.stringify(resource.spec))
          this.#write(name, { ...this.#record(resource), outcome: "", message: "" });
        this.#follow(resource);
      }
      this.#tell(resource);
    } else if (this.#leads) this.#write(name, undefined);
    if (before !== undefined) this.#tell(before);
  }

  /** A source that was refused for its token need not wait for its next try. */
  #secretChanged({ metadata }: Resource): void {
    if (!this.#leads) return;
    for (const resource of this.#resources.values()) {
      const wanted = resource.spec.consul?.tokenSecret;
      if (wanted?.namespace !== metadata.namespace || wanted.name !== metadata.name) continue;
      this.#followers.get(resource.metadata.name)?.close();
      this.#follow(resource);
    }
  }

  #follow(resource: Resource<EndpointSourceSpec>): void {
    const { clock, events } = this.#options;
    const { name, uid } = resource.metadata;
    let told = this.#record(resource).outcome;
    this.#followers.set(
      name,
      new ImportFollower({
        uid,
        source: (this.#options.sourceOf ?? ((spec) => this.#sourceOf(spec)))(resource.spec),
        clock,
        record: this.#record(resource),
        failed: () => this.#failures++,
        changed: (record, gone) => {
          this.#write(name, record);
          this.#tell(resource);
          if (gone.length > 0) this.#options.onGone?.(name, gone);
          if (record.outcome === told) return;
          if (record.outcome === "failed")
            events.add({
              severity: "warning",
              type: "ImportFailed",
              subject: name,
              message: `EndpointSource ${name} gives no answer: ${record.message}.`,
            });
          else if (told === "failed")
            events.add({
              severity: "info",
              type: "ImportBack",
              subject: name,
              message: `EndpointSource ${name} answers again; it has ${record.instances.length} instances.`,
            });
          told = record.outcome;
        },
      }),
    );
  }

  #sourceOf({ dnsSrv, consul }: EndpointSourceSpec): ImportSource {
    const { clock } = this.#options;
    if (dnsSrv !== undefined) return new DnsSrvSource(dnsSrv, clock);
    if (consul !== undefined) return new ConsulSource(consul, { clock, token: () => this.#token(consul.tokenSecret) });
    return { ask: () => Promise.resolve(err("there is neither dnsSrv nor consul")) };
  }

  #token(wanted: NonNullable<EndpointSourceSpec["consul"]>["tokenSecret"]): Result<string | undefined, string> {
    if (wanted === undefined) return ok(undefined);
    const secret = this.#options.store.get(`Secret/${wanted.namespace}/${wanted.name}`);
    const value = secret === undefined ? undefined : secretValue(secret as Resource<SecretSpec>, wanted.key);
    const token = value?.toString("latin1").trim() ?? "";
    if (token === "") return err(`the Secret ${wanted.namespace}/${wanted.name} has no ${wanted.key}`);
    return /^[!-~]{1,4096}$/.test(token)
      ? ok(token)
      : err(`${wanted.key} of the Secret ${wanted.namespace}/${wanted.name} is no token`);
  }

  #record({ metadata }: Resource<EndpointSourceSpec>): ImportRecord {
    const known = this.#records.get(metadata.name);
    return known?.uid === metadata.uid ? known : newRecord(metadata.uid, Date.parse(metadata.creationTimestamp));
  }

  #index(resource: Resource<EndpointSourceSpec>): void {
    const service = serviceOf(resource);
    this.#resources.set(resource.metadata.name, resource);
    this.#byService.set(service, (this.#byService.get(service) ?? new Set()).add(resource.metadata.name));
  }

  #unindex(resource: Resource<EndpointSourceSpec>): void {
    const service = serviceOf(resource);
    const sources = this.#byService.get(service);
    this.#resources.delete(resource.metadata.name);
    sources?.delete(resource.metadata.name);
    if (sources?.size === 0) this.#byService.delete(service);
  }

  #tell(resource: Resource<EndpointSourceSpec>): void {
    for (const listener of [...this.#listeners]) listener(serviceOf(resource));
  }

  /** Takes over a record (undefined: it goes), and writes it in the background until it is written. */
  #write(name: string, record: ImportRecord | undefined): void {
    const { table, clock, logger } = this.#options;
    if (record === undefined) this.#records.delete(name);
    else this.#records.set(name, record);
    const written = (this.#writes.get(name) ?? Promise.resolve())
      .then(() => (record === undefined ? table.remove(name) : table.put(name, record)))
      .catch((error: unknown) => {
        logger?.error("imported instances could not be stored", { source: name, error: String(error) });
        clock.after(WRITE_AGAIN_MS, () => {
          if (!this.#isClosed && this.#leads && this.#records.get(name) === record) this.#write(name, record);
        });
      })
      .finally(() => {
        if (this.#writes.get(name) === written) this.#writes.delete(name);
      });
    this.#writes.set(name, written);
  }
}

function serviceOf({ spec }: Resource<EndpointSourceSpec>): string {
  return `${spec.service.namespace}/${spec.service.name}`;
}
