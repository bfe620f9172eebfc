// What is seen of the whole mesh: the traffic figures, events and comparisons of this control plane put together with
// those of the others, which are asked when somebody looks. One that does not answer in time is named.

import type {
  EgressSeenList,
  EgressSeenView,
  EventPage,
  Graph,
  MeshEvent,
  MirrorList,
  MirrorView,
} from "@ripstop/model";

import { mergeMirrors, type MirrorPair } from "../mirror/mirror-sums.ts";
import { mergeTraffic, type EdgePart, type WorkloadPart, type WorkloadTraffic } from "../telemetry/traffic-parts.ts";
import type { MeshStreams, Said } from "./mesh-streams.ts";
import { peerPaths } from "./peer-routes.ts";

/** The figures of one control plane. */
export interface TrafficParts {
  readonly edges: readonly EdgePart[];
  /** Those without any figures are left out. */
  readonly workloads: readonly WorkloadPart[];
  readonly mirrors: readonly MirrorPair[];
}

/** What one control plane sees. */
export interface OwnObservation {
  traffic(): TrafficParts;
  /** Those with a number above `after`, oldest first. */
  events(after: number): readonly MeshEvent[];
  egress(): readonly EgressSeenView[];
  /** The live graph with these edges. */
  graph(edges: Iterable<EdgePart>): Graph;
}

/** Traffic of workloads, and whether their proxies have a config stream anywhere. */
export interface MeshTraffic extends Pick<Graph, "unknown"> {
  workload(id: string): WorkloadTraffic & { readonly connected: boolean };
}

/** Most events of an answer. */
const MAX_EVENTS = 1_000;
/** Somebody looks at a page that is drawn anew every second: who takes longer is missing in it, by name. */
const PATIENCE_MS = 2_000;

/** What is seen of all; `isHere`: of this control plane alone. */
export class MeshObservation {
  readonly #own: OwnObservation;
  readonly #mesh: Pick<MeshStreams, "id" | "ask">;
  /** Questions under way, by path: however many look, each of the others is asked once at a time. */
  readonly #asking = new Map<string, Promise<Said<unknown>>>();

  constructor(own: OwnObservation, mesh: Pick<MeshStreams, "id" | "ask">) {
    this.#own = own;
    this.#mesh = mesh;
  }

  async graph(isHere: boolean): Promise<Graph> {
    const { parts, unknown } = await this.#traffic(isHere);
    return { ...this.#own.graph(parts.flatMap(({ edges }) => edges)), ...named(unknown) };
  }

  async traffic(isHere: boolean): Promise<MeshTraffic> {
    const { parts, unknown } = await this.#traffic(isHere);
    const byId = new Map<string, WorkloadPart[]>();
    for (const part of parts.flatMap(({ workloads }) => workloads)) {
      const known = byId.get(part.id);
      if (known === undefined) byId.set(part.id, [part]);
      else known.push(part);
    }
    return {
      ...named(unknown),
      workload(id) {
        const of = byId.get(id) ?? [];
        return { ...mergeTraffic(of), connected: of.some(({ connected }) => connected) };
      },
    };
  }

  /** `isTogether`: of all callers in one. */
  async mirrors(isHere: boolean, isTogether: boolean): Promise<MirrorList> {
    const { parts, unknown } = await this.#traffic(isHere);
    const mirrors: readonly MirrorView[] = mergeMirrors(
      parts.flatMap((part) => part.mirrors),
      isTogether,
    );
    return { mirrors, ...named(unknown) };
  }

  /** The newest, by time. `after` is compared with the numbers that each control plane gave its own. */
  async events(isHere: boolean, after: number): Promise<EventPage> {
    const { id } = this.#mesh;
    const here = this.#own.events(after);
    if (isHere || id === undefined) return { events: here };
    const { answers, unknown } = await this.#ask<{ readonly events: readonly MeshEvent[] }>(peerPaths.events(after));
    const all = [
      ...here.map((event) => ({ ...event, replica: id })),
      ...answers.flatMap(({ replica, answer }) => answer.events.map((event) => ({ ...event, replica }))),
    ];
    return { events: all.toSorted((a, b) => a.timeMs - b.timeMs).slice(-MAX_EVENTS), ...named(unknown) };
  }

  /** By service, host and port. */
  async egress(isHere: boolean): Promise<EgressSeenList> {
    const here = this.#own.egress();
    if (isHere || this.#mesh.id === undefined) return { seen: here };
    const { answers, unknown } = await this.#ask<EgressSeenList>(peerPaths.egress);
    return { seen: mergeEgress([...here, ...answers.flatMap(({ answer }) => answer.seen)]), ...named(unknown) };
  }

  async #traffic(isHere: boolean): Promise<{ readonly parts: readonly TrafficParts[] } & Pick<Said<never>, "unknown">> {
    if (isHere || this.#mesh.id === undefined) return { parts: [this.#own.traffic()], unknown: [] };
    const { answers, unknown } = await this.#ask<TrafficParts>(peerPaths.traffic);
    return { parts: [this.#own.traffic(), ...answers.map(({ answer }) => answer)], unknown };
  }

  #ask<Answer>(path: string): Promise<Said<Answer>> {
    const known = this.#asking.get(path);
    // What is asked under a path is of one type.
    if (known !== undefined) return known as Promise<Said<Answer>>;
    const asked = this.#mesh.ask<Answer>(path, 0, PATIENCE_MS).finally(() => this.#asking.delete(path));
    this.#asking.set(path, asked);
    return asked;
  }
}

/** The same calls put together. */
export function mergeEgress(seen: readonly EgressSeenView[]): readonly EgressSeenView[] {
  const merged = new Map<string, EgressSeenView>();
  for (const one of seen) {
    const key = JSON.stringify([one.service, one.host, one.port, one.protocol, one.gateway ?? ""]);
    const before = merged.get(key);
    merged.set(
      key,
      before === undefined
        ? one
        : {
            ...one,
            count: before.count + one.count,
            denied: before.denied + one.denied,
            firstSeenMs: Math.min(before.firstSeenMs, one.firstSeenMs),
            lastSeenMs: Math.max(before.lastSeenMs, one.lastSeenMs),
          },
    );
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function named(unknown: Said<never>["unknown"]): Pick<Graph, "unknown"> {
  return unknown.length === 0 ? {} : { unknown };
}
