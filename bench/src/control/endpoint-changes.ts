// Changes of single endpoints through the API, and when their subscribers had them.

import { pause } from "../processes.ts";
import type { ControlPlane } from "./control-plane.ts";
import { addressOf, servicesOf, workloadId, type MeshShape } from "./mesh-shape.ts";
import { machineMs, type Delivery } from "./programs/machine-time.ts";
import type { ProxyFleet } from "./proxy-fleet.ts";

/** Times in milliseconds from the request to the subscriber that had the change last. */
export interface ChangeTimes {
  readonly changes: number;
  /** Deliveries that should have come, and that came. */
  readonly expected: number;
  readonly arrived: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** CPU milliseconds of the control plane for one change. */
  readonly cpuMsPerChange: number;
  /** Changes that were really made in a second. */
  readonly perSecond: number;
}

interface Change {
  readonly service: number;
  readonly sequence: number;
  readonly atMs: number;
}

const LAST_ONES_MS = 20_000;

/** Makes changes and joins them with their deliveries. */
export class EndpointChanges {
  readonly #plane: ControlPlane;
  readonly #fleet: ProxyFleet;
  readonly #shape: MeshShape;
  readonly #subscribers = new Map<number, number[]>();
  /** Workload → its last change. */
  readonly #last = new Map<string, Promise<unknown>>();
  #sequence = 0;

  constructor(plane: ControlPlane, fleet: ProxyFleet, shape: MeshShape) {
    this.#plane = plane;
    this.#fleet = fleet;
    this.#shape = shape;
    for (let proxy = 0; proxy < shape.proxies; proxy++) {
      for (const service of servicesOf(proxy, shape)) {
        const subscribers = this.#subscribers.get(service);
        if (subscribers === undefined) this.#subscribers.set(service, [proxy]);
        else subscribers.push(proxy);
      }
    }
  }

  /**
   * Services with a subscriber, without the one that all use. At most a quarter of the mesh: the others send no
   * heartbeats, and are kept only while they are more than half of all (a mass expiry).
   */
  get services(): readonly number[] {
    const all = [...this.#subscribers.keys()].filter((service) => service !== 0).sort((x, y) => x - y);
    return all.slice(0, Math.max(1, Math.floor(this.#shape.services / 4)));
  }

  subscribers(service: number): number {
    return this.#subscribers.get(service)?.length ?? 0;
  }

  /** Moves one endpoint of a service; the change's number. Changes of one endpoint are sent one after the other. */
  change(service: number): Promise<Change> {
    const sequence = ++this.#sequence;
    const id = workloadId(service, sequence % this.#shape.endpoints);
    const before = this.#last.get(id) ?? Promise.resolve();
    const sent = before.then(async () => {
      const atMs = machineMs();
      await this.#plane.text("PUT", `/v1/workloads/${id}`, { inboundAddress: addressOf(sequence), ready: true });
      return { service, sequence, atMs };
    });
    this.#last.set(id, sent);
    return sent;
  }

  /** `count` changes of `services` in turn at a steady rate, whatever the answers take. */
  async run(services: readonly number[], count: number, perSecond: number): Promise<ChangeTimes> {
    await this.#fleet.collect();
    const cpuBefore = this.#plane.cpu();
    const startMs = machineMs();
    const running: Promise<Change>[] = [];
    for (let at = 0; at < count; at++) {
      const waitMs = startMs + (at * 1000) / perSecond - machineMs();
      if (waitMs > 0) await pause(waitMs);
      running.push(this.change(services[at % services.length] ?? 0));
    }
    const changes = await Promise.all(running);
    const seconds = (machineMs() - startMs) / 1000;
    return this.#result(changes, seconds, cpuBefore);
  }

  async #result(changes: readonly Change[], seconds: number, cpuBefore: number): Promise<ChangeTimes> {
    const expected = changes.reduce((sum, { service }) => sum + this.subscribers(service), 0);
    const deliveries: Delivery[] = [];
    let times: number[] = [];
    let arrived = 0;
    const giveUpMs = machineMs() + LAST_ONES_MS;
    for (;;) {
      deliveries.push(...(await this.#fleet.collect()));
      ({ times, arrived } = this.#join(changes, deliveries));
      if (arrived === expected || machineMs() > giveUpMs) break;
      await pause(100);
    }
    const cpuMsPerChange = ((this.#plane.cpu() - cpuBefore) * 1000) / changes.length;
    times.sort((a, b) => a - b);
    const quantile = (share: number): number =>
      times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
    return {
      changes: changes.length,
      expected,
      arrived,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      maxMs: quantile(1),
      cpuMsPerChange,
      perSecond: changes.length / seconds,
    };
  }

  /** A change has arrived at a proxy with the first delivery of the service that is as new or newer. */
  #join(changes: readonly Change[], deliveries: readonly Delivery[]): { times: number[]; arrived: number } {
    const byStream = new Map<string, Delivery[]>();
    for (const delivery of deliveries) {
      const key = `${delivery[0]} ${delivery[1]}`;
      const known = byStream.get(key);
      if (known === undefined) byStream.set(key, [delivery]);
      else known.push(delivery);
    }
    const times: number[] = [];
    let arrived = 0;
    for (const { service, sequence, atMs } of changes) {
      let last = 0;
      let all = 0;
      for (const proxy of this.#subscribers.get(service) ?? []) {
        const first = byStream.get(`${proxy} ${service}`)?.find((delivery) => delivery[2] >= sequence);
        if (first === undefined) continue;
        all++;
        last = Math.max(last, first[3] - atMs);
      }
      arrived += all;
      if (all > 0) times.push(last);
    }
    return { times, arrived };
  }
}
