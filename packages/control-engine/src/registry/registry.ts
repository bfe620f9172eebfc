// Which workloads there are. Each holds a lease that its heartbeats renew. The set is durable: a restarted control
// plane comes back with the same workloads and the same ids, and the supervisors just go on with their heartbeats.

import { randomInt } from "node:crypto";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { workloadSpiffeId } from "@ripstop/identity";
import type { RegisterRequest, WorkloadStatus } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

import { noSuchWorkload, registrationRefused } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Replication, Table } from "../store/store.ts";
import { withInfrastructure } from "./gateway-infrastructure.ts";
import { massExpiry } from "./mass-expiry.ts";
import type { IdentityInForce, Infrastructure, RegisteredWorkload, SvidRecord } from "./registered-workload.ts";

/** Settings of a Registry. */
export interface RegistryOptions {
  readonly clock: Clock;
  readonly table: Table<RegisteredWorkload>;
  readonly trustDomain: string;
  /** A workload without heartbeat for this long is gone; default 10 000. */
  readonly leaseMs?: number;
  /** A held set of workloads (see mass-expiry.ts) is let go after this long; default 600 000. */
  readonly holdMs?: number;
  /** Most workloads; default 250 000. */
  readonly maxWorkloads?: number;
  readonly logger?: Logger;
  /** There, when several control planes share the table: each renews the leases of those that it hears of. */
  readonly replication?: Replication;
  /** What the Gateways of a namespace say about what runs for them; call `refreshGateways` when they change. */
  infrastructureOf?(namespace: string, gateways: readonly string[]): Infrastructure;
  /** Whether a process of this machine lives: one that does not is gone for certain. */
  isProcessAlive(pid: number): boolean;
}

/** What is recorded of a registration beside its request. */
export interface Registration extends SvidRecord {
  readonly id: string;
  readonly spiffeId: string;
  /** Lifetime of its SVIDs when it is not the default. */
  readonly ttlMs?: number;
  /** The node whose agent registers it. */
  readonly node?: string;
}

/** One change: a workload came (no `before`), changed, or went (no `after`). */
export interface WorkloadChange {
  readonly before: RegisteredWorkload | undefined;
  readonly after: RegisteredWorkload | undefined;
  /** It went because it fell silent: it may still live somewhere. */
  readonly expired?: boolean;
}

interface Entry {
  workload: RegisteredWorkload;
  inForce: IdentityInForce | undefined;
  /** Monotonic time of the lease's end. */
  deadlineMs: number;
}

const CHECK_MS = 1_000;
/** A supervisor of this machine that lives and is silent waits for the processor: it gets so many leases. */
const LEASES_OF_THE_LIVING = 3;

/** The registered workloads. */
export class Registry {
  readonly leaseMs: number;
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(changes: readonly WorkloadChange[]) => void>();
  readonly #timer: { clear(): void };
  readonly #unwatch: () => void;
  /** Own writes that are under way, by id: what the table says meanwhile is not newer than what is here. */
  readonly #writing = new Map<string, number>();
  #held = 0;
  #checkedMs: number;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.leaseMs = options.leaseMs ?? 10_000;
    // After a restart everyone has a whole lease to say that it still lives.
    this.#checkedMs = options.clock.monotonicMs();
    const deadlineMs = this.#checkedMs + this.leaseMs;
    for (const [id, workload] of options.table.entries())
      this.#entries.set(id, { workload, deadlineMs, inForce: workload.inForce });
    this.#timer = options.clock.every(CHECK_MS, () => this.#expire());
    this.#unwatch =
      options.replication === undefined
        ? () => undefined
        : options.table.watch((id, workload) => this.#onTable(id, workload));
  }

  /** Workloads whose lease ran out but which are kept because too many went silent at once. */
  get held(): number {
    return this.#held;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): RegisteredWorkload | undefined {
    return this.#entries.get(id)?.workload;
  }

  /** What the workload said last of the identity that it uses; undefined before it was heard of. */
  inForce(id: string): IdentityInForce | undefined {
    return this.#entries.get(id)?.inForce;
  }

  /** All workloads, in the order of their ids. */
  list(): readonly RegisteredWorkload[] {
    return [...this.#entries.values()].map(({ workload }) => workload).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** All workloads, in no order: much cheaper than `list` when there are many. */
  values(): readonly RegisteredWorkload[] {
    return [...this.#entries.values()].map(({ workload }) => workload);
  }

  /** Who a registration would be: its id and identity, before anything is recorded. */
  name(request: RegisterRequest): Result<{ readonly id: string; readonly spiffeId: string }, Failure> {
    const { namespace, service, instance } = request;
    const spiffeId = workloadSpiffeId(this.#options.trustDomain, namespace, request.serviceAccount ?? service);
    if (!mayHostGateways(request)) {
      return err({
        kind: registrationRefused,
        message: `the service account ${request.serviceAccount ?? service} may not host Gateways: use "gateway"`,
      });
    }
    const known = instance === undefined ? undefined : this.#entries.get(`${namespace}/${instance}`)?.workload;
    if (known === undefined && this.#entries.size >= (this.#options.maxWorkloads ?? 250_000)) {
      return err({
        kind: registrationRefused,
        message: `the mesh has ${this.#entries.size} workloads, which is its limit`,
      });
    }
    if (instance === undefined) return ok({ id: this.#freeId(namespace, service), spiffeId });
    const id = `${namespace}/${instance}`;
    const isTaken = known !== undefined && known.pid !== request.pid && this.#isOwn(known) && this.#isAlive(known);
    if (known !== undefined && (isTaken || known.spiffeId !== spiffeId)) {
      return err({
        kind: registrationRefused,
        message: `${id} is registered by process ${known.pid} as ${known.spiffeId}`,
      });
    }
    return ok({ id, spiffeId });
  }

  /** Records a workload under the name that `name` gave; durable when the promise is kept. */
  async register(request: RegisterRequest, named: Registration): Promise<RegisteredWorkload> {
    const before = this.#entries.get(named.id)?.workload;
    const workload: RegisteredWorkload = {
      id: named.id,
      namespace: request.namespace,
      service: request.service,
      serviceAccount: request.serviceAccount ?? request.service,
      spiffeId: named.spiffeId,
      labels: { ...request.labels, app: request.service },
      ports: request.ports.map(({ port, servicePort = port, protocol, proxyProtocol, applicationAddress }) => ({
        port,
        servicePort,
        protocol,
        ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
        applicationAddress,
      })),
      pid: request.pid,
      registeredMs: this.#options.clock.nowMs(),
      inboundAddress: before?.inboundAddress ?? "",
      ready: before?.ready ?? false,
      ...(named.ttlMs === undefined ? {} : { svidTtlMs: named.ttlMs }),
      ...(named.node === undefined ? {} : { node: named.node }),
      ...(request.gateway === undefined ? {} : { gateway: request.gateway }),
      ...svidRecord(named),
    };
    await this.#keep(workload, before);
    return workload;
  }

  /** Renews the lease and takes over the state. */
  async heartbeat(id: string, status: WorkloadStatus): Promise<Result<{ readonly leaseMs: number }, Failure>> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return err(unknown(id));
    this.#renew(entry);
    const { inboundAddress, ready, bundleSequence, svidSerialNumber, closedPorts = [] } = status;
    const inForce = { bundleSequence, svidSerialNumber };
    const isNews = this.#isShared && !isSame(inForce, entry.inForce);
    entry.inForce = inForce;
    const before = entry.workload;
    const isSameState = before.inboundAddress === inboundAddress && before.ready === ready;
    if (!isSameState || isNews || !this.#isOwn(before) || !samePorts(before.closedPorts, closedPorts)) {
      // A process id is of the machine where it was registered.
      const pid = this.#isOwn(before) ? before.pid : 0;
      const { closedPorts: _before, ...rest } = before;
      const closed = closedPorts.length === 0 ? {} : { closedPorts };
      await this.#keep({ ...rest, inboundAddress, ready, pid, ...closed }, before);
    }
    return ok({ leaseMs: this.leaseMs });
  }

  /** Records a renewed SVID. */
  async renewed(id: string, svid: SvidRecord): Promise<Result<undefined, Failure>> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return err(unknown(id));
    this.#renew(entry);
    await this.#keep({ ...entry.workload, ...svidRecord(svid) }, entry.workload);
    return ok(undefined);
  }

  /** Graceful leave. */
  async leave(id: string): Promise<Result<undefined, Failure>> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return err(unknown(id));
    await this.#remove([entry.workload], false);
    return ok(undefined);
  }

  /** Gateways changed: what their placements have of them follows. */
  refreshGateways(): void {
    for (const { workload, deadlineMs } of [...this.#entries.values()]) {
      if (workload.gateway === undefined || !this.#isOwn(workload)) continue;
      if (isSame(this.#withInfrastructure(workload), workload)) continue;
      this.#keep(workload, workload).catch((error: unknown) => {
        // Its next heartbeat with news writes it again.
        this.#options.logger?.error("labels of a Gateway could not be stored", {
          workload: workload.id,
          error: String(error),
        });
      });
      // That a Gateway changed says nothing about who lives.
      const entry = this.#entries.get(workload.id);
      if (entry !== undefined) entry.deadlineMs = deadlineMs;
    }
  }

  /** Calls `listener` after every change, with all the changes of one moment; returns how to stop. */
  onChange(listener: (changes: readonly WorkloadChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops the lease check; what is registered stays in the table. */
  close(): void {
    this.#timer.clear();
    this.#unwatch();
    this.#listeners.clear();
  }

  #renew(entry: Entry): void {
    entry.deadlineMs = this.#options.clock.monotonicMs() + this.leaseMs;
  }

  get #isShared(): boolean {
    return this.#options.replication !== undefined;
  }

  /** This control plane is the one that it sends its heartbeats to. */
  #isOwn({ replica }: RegisteredWorkload): boolean {
    return !this.#isShared || replica === this.#options.replication?.id;
  }

  #isAlive({ pid }: RegisteredWorkload): boolean {
    return this.#options.isProcessAlive(pid);
  }

  /**
   * Whether its lease is for this control plane to end: it sends its heartbeats here; or the one that it sent them to is
   * gone, and this one leads. Nobody's, while the shared store does not answer: then nobody can be heard of from others.
   */
  #isAnswerable(workload: RegisteredWorkload): boolean {
    const { replication } = this.#options;
    if (replication === undefined) return true;
    if (replication.cutOffMs > 0) return false;
    if (this.#isOwn(workload)) return true;
    return replication.isLeader && !replication.replicas.some(({ id }) => id === workload.replica);
  }

  #isSlow({ workload, deadlineMs }: Entry, nowMs: number): boolean {
    if (nowMs >= deadlineMs + (LEASES_OF_THE_LIVING - 1) * this.leaseMs) return false;
    return workload.pid > 0 && this.#isOwn(workload) && this.#isAlive(workload);
  }

  #expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    // While this process itself stood still (a busy turn, a suspended machine) nobody could be heard: that is not their silence.
    const stalledMs = nowMs - this.#checkedMs - CHECK_MS;
    this.#checkedMs = nowMs;
    if (stalledMs > CHECK_MS) for (const entry of this.#entries.values()) entry.deadlineMs += stalledMs;
    let total = 0;
    const silent: Entry[] = [];
    // Of a hundred thousand each turn of this loop counts: alone, nobody else is asked about.
    const isAlone = this.#options.replication === undefined;
    for (const entry of this.#entries.values()) {
      if (!isAlone && !this.#isAnswerable(entry.workload)) {
        // Whoever becomes answerable for it gives it a whole lease from then on.
        this.#renew(entry);
        continue;
      }
      total++;
      if (entry.deadlineMs <= nowMs && !this.#isSlow(entry, nowMs)) silent.push(entry);
    }
    const { gone, held } = massExpiry(silent, {
      total,
      nowMs,
      holdMs: this.#options.holdMs ?? 600_000,
      isDead: ({ workload }) => workload.pid > 0 && this.#isOwn(workload) && !this.#isAlive(workload),
    });
    this.#held = held.length;
    if (gone.length === 0) return;
    this.#remove(
      gone.map(({ workload }) => workload),
      true,
    ).catch((error: unknown) => {
      // They are gone from memory; a restart will find that they are silent once more.
      this.#options.logger?.error("expired workloads could not be removed from the store", { error: String(error) });
    });
  }

  #withInfrastructure(workload: RegisteredWorkload): RegisteredWorkload {
    const found = workload.gateway && this.#options.infrastructureOf?.(workload.namespace, workload.gateway.names);
    return found === undefined ? workload : withInfrastructure(workload, found);
  }

  async #keep(changed: RegisteredWorkload, before: RegisteredWorkload | undefined): Promise<void> {
    const deadlineMs = this.#options.clock.monotonicMs() + this.leaseMs;
    const inForce = this.#entries.get(changed.id)?.inForce;
    const { replication, table } = this.#options;
    const described = this.#withInfrastructure(changed);
    const after =
      replication === undefined
        ? described
        : { ...described, replica: replication.id, ...(inForce === undefined ? {} : { inForce }) };
    this.#entries.set(after.id, { workload: after, deadlineMs, inForce });
    this.#notify([{ before, after }]);
    await this.#write(after.id, () => table.put(after.id, after));
  }

  async #write(id: string, write: () => Promise<void>): Promise<void> {
    const count = (by: number): number => (this.#writing.get(id) ?? 0) + by;
    this.#writing.set(id, count(1));
    try {
      await write();
    } finally {
      const left = count(-1);
      if (left > 0) this.#writing.set(id, left);
      else this.#writing.delete(id);
    }
    if (this.#isShared) this.#onTable(id, this.#options.table.get(id));
  }

  /** Another control plane recorded, changed or removed a workload. */
  #onTable(id: string, after: RegisteredWorkload | undefined): void {
    if (this.#writing.has(id)) return;
    const before = this.#entries.get(id)?.workload;
    if (isSame(before, after)) return;
    if (after === undefined) {
      this.#entries.delete(id);
    } else {
      const deadlineMs = this.#options.clock.monotonicMs() + this.leaseMs;
      this.#entries.set(id, { workload: after, deadlineMs, inForce: after.inForce });
    }
    this.#notify([{ before, after }]);
  }

  async #remove(workloads: readonly RegisteredWorkload[], expired: boolean): Promise<void> {
    for (const { id } of workloads) this.#entries.delete(id);
    this.#notify(workloads.map((before) => ({ before, after: undefined, ...(expired ? { expired } : {}) })));
    await Promise.all(workloads.map(({ id }) => this.#write(id, () => this.#options.table.remove(id))));
  }

  #notify(changes: readonly WorkloadChange[]): void {
    for (const listener of [...this.#listeners]) listener(changes);
  }

  #freeId(namespace: string, service: string): string {
    for (;;) {
      const suffix = randomInt(36 ** 5)
        .toString(36)
        .padStart(5, "0");
      const id = `${namespace}/${service.slice(0, 57)}-${suffix}`;
      if (!this.#entries.has(id)) return id;
    }
  }
}

function svidRecord({ svidNotAfterMs, svidIssuedMs, svidSerialNumber, rootSha256 }: SvidRecord): SvidRecord {
  return {
    svidNotAfterMs,
    ...(svidIssuedMs === undefined ? {} : { svidIssuedMs }),
    ...(svidSerialNumber === undefined ? {} : { svidSerialNumber }),
    ...(rootSha256 === undefined ? {} : { rootSha256 }),
  };
}

/** As JSON: what came from the table has no undefined fields. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function unknown(id: string): Failure {
  return { kind: noSuchWorkload, message: `no workload ${id} is registered; its lease may have run out` };
}

/** A gateway's proxy gets private keys, so that an ordinary identity of the namespace is not enough. */
function mayHostGateways({ gateway, service, serviceAccount = service }: RegisterRequest): boolean {
  if (gateway === undefined) return true;
  return serviceAccount === "gateway" || (gateway.names.length === 1 && gateway.names[0] === serviceAccount);
}

function samePorts(a: RegisteredWorkload["closedPorts"] = [], b: RegisteredWorkload["closedPorts"] = []): boolean {
  return a === b || (a.length === b.length && JSON.stringify(a) === JSON.stringify(b));
}
