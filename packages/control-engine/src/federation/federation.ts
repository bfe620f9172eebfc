// Follows the bundles of other trust domains as FederatedTrustDomain resources name them: polls their endpoints, keeps the
// last good bundle over failures and restarts, and says in the resource's status how it stands.

import { createHash, randomInt } from "node:crypto";

import { Backoff, err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import { pemToDer } from "@ripstop/identity";
import { emptyBundle, formatBundle, parseBundle, type SpiffeBundle } from "@ripstop/identity/jwt";
import { type FederatedTrustDomainSpec, type Resource } from "@ripstop/resources";
import type { Logger } from "@ripstop/telemetry";

import type { EventLog } from "../events/event-log.ts";
import type { Store, Table } from "../store/store.ts";
import { fetchBundle, type BundleSource, type FetchedBundle } from "./fetch-bundle.ts";

/** What is kept of a federated trust domain, by resource name. */
export interface FederationRecord {
  /** Of the spec that this belongs to. */
  readonly specSha256: string;
  /** The last good bundle as a document; "" when there is none yet. */
  readonly document: string;
  /** When it was fetched; 0 for the bundle of the spec. */
  readonly fetchedMs: number;
  readonly conditions: Readonly<Record<string, { readonly status: string; readonly sinceMs: number }>>;
}

/** What is needed to follow bundles. */
export interface FederationOptions {
  readonly store: Store;
  readonly table: Table<FederationRecord>;
  readonly clock: Clock;
  readonly trustDomain: string;
  /** The own roots, DER: an endpoint may have an identity of this trust domain. */
  ownRoots(): readonly Uint8Array[];
  readonly events: EventLog;
  readonly logger?: Logger;
  /** A source of numbers in [0, 1), so that not all consumers come at once; default a random one. */
  readonly random?: () => number;
  /** Default: over HTTPS. */
  readonly fetch?: (source: BundleSource, clock: Clock, signal: AbortSignal) => Promise<Result<FetchedBundle, string>>;
}

interface Condition {
  readonly type: "Accepted" | "BundleFetched";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

const KIND = "FederatedTrustDomain";
const DEFAULT_INTERVAL_S = 300;
const MIN_INTERVAL_S = 10;
const MAX_INTERVAL_S = 24 * 3600;
const FIRST_RETRY_MS = 1_000;

/** The bundles of the federated trust domains. */
export class Federation {
  readonly #options: FederationOptions;
  readonly #followers = new Map<string, Follower>();
  readonly #listeners = new Set<() => void>();
  readonly #stopWatching: () => void;

  constructor(options: FederationOptions) {
    this.#options = options;
    for (const resource of options.store.list(KIND)) this.#reconcile(resource.metadata.name, resource);
    const watching = options.store.watch(options.store.revision, ({ changes }) => {
      for (const change of changes) {
        const resource = change.type === "put" ? change.resource : change.before;
        if (resource.kind !== KIND) continue;
        this.#reconcile(resource.metadata.name, change.type === "put" ? resource : undefined);
      }
    });
    this.#stopWatching = watching.ok ? watching.value : () => undefined;
  }

  /** The bundles in force, by trust domain. One that trusts nobody is among them too. */
  bundles(): ReadonlyMap<string, SpiffeBundle> {
    const bundles = new Map<string, SpiffeBundle>();
    for (const { spec, bundle } of this.#followers.values()) {
      if (bundle !== undefined && !bundles.has(spec.trustDomain)) bundles.set(spec.trustDomain, bundle);
    }
    return bundles;
  }

  /** Calls `listener` after every change of `bundles()`; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The resource with its status, when it is a FederatedTrustDomain. */
  withStatus(resource: Resource): Resource {
    const follower = resource.kind === KIND ? this.#followers.get(resource.metadata.name) : undefined;
    return follower === undefined ? resource : { ...resource, status: follower.status() };
  }

  /** Stops following; fetches under way are given up. */
  close(): void {
    this.#stopWatching();
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
    this.#listeners.clear();
  }

  #reconcile(name: string, resource: Resource | undefined): void {
    const before = this.#followers.get(name);
    if (resource === undefined) {
      before?.close();
      this.#followers.delete(name);
      this.#inBackground(this.#options.table.remove(name));
    } else {
      const typed = resource as Resource<FederatedTrustDomainSpec>;
      before?.close();
      const follower = new Follower(typed, this.#options, {
        rootsOf: (trustDomain) => this.#rootsOf(trustDomain),
        changed: () => this.#changed(),
        keep: (record) => this.#inBackground(this.#options.table.put(name, record)),
      });
      this.#followers.set(name, follower);
      follower.start();
    }
    this.#changed();
  }

  #rootsOf(trustDomain: string): readonly Uint8Array[] {
    if (trustDomain === this.#options.trustDomain) return this.#options.ownRoots();
    return this.bundles().get(trustDomain)?.x509Authorities ?? [];
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #inBackground(write: Promise<void>): void {
    write.catch((error: unknown) => {
      // What is in memory holds; after a restart the bundle is fetched anew.
      this.#options.logger?.error("the bundle of a federated trust domain could not be stored", {
        error: String(error),
      });
    });
  }
}

interface FollowerEvents {
  rootsOf(trustDomain: string): readonly Uint8Array[];
  changed(): void;
  keep(record: FederationRecord): void;
}

/** Follows one trust domain. */
class Follower {
  readonly spec: FederatedTrustDomainSpec;
  readonly #resource: Resource<FederatedTrustDomainSpec>;
  readonly #options: FederationOptions;
  readonly #events: FollowerEvents;
  readonly #specSha256: string;
  readonly #closed = new AbortController();
  readonly #backoff: Backoff;
  readonly #since = new Map<string, { status: string; sinceMs: number }>();
  #conditions: readonly Condition[] = [];
  #bundle: SpiffeBundle | undefined;
  #document = "";
  #fetchedMs = 0;
  #nextMs = 0;
  #timer: Timer | undefined;

  constructor(resource: Resource<FederatedTrustDomainSpec>, options: FederationOptions, events: FollowerEvents) {
    this.#resource = resource;
    this.spec = resource.spec;
    this.#options = options;
    this.#events = events;
    this.#specSha256 = createHash("sha256").update(JSON.stringify(this.spec)).digest("hex");
    this.#backoff = new Backoff({ initialMs: FIRST_RETRY_MS, maxMs: DEFAULT_INTERVAL_S * 1000 });
  }

  get bundle(): SpiffeBundle | undefined {
    return this.#bundle;
  }

  /** Takes what is known already, and begins to poll. */
  start(): void {
    const { trustDomain, table } = this.#options;
    const record = table.get(this.#resource.metadata.name);
    for (const [type, since] of Object.entries(record?.conditions ?? {})) this.#since.set(type, since);
    if (this.spec.trustDomain === trustDomain) {
      this.#say([refused("OwnTrustDomain", `${trustDomain} is the trust domain of this mesh`)]);
      return;
    }
    const given = this.spec.bundle === undefined ? undefined : readGiven(this.spec.bundle);
    if (given !== undefined && !given.ok) {
      this.#say([refused("InvalidBundle", given.error)]);
      return;
    }
    const kept = record?.specSha256 === this.#specSha256 ? parseBundle(record.document) : undefined;
    if (record !== undefined && kept?.ok === true) {
      this.#bundle = kept.value;
      this.#document = record.document;
      this.#fetchedMs = record.fetchedMs;
    } else if (given !== undefined) {
      this.#bundle = given.value;
      this.#document = formatBundle(given.value);
    }
    if (this.spec.bundleEndpoint === undefined) {
      this.#say([accepted, { ...fetchedCondition, reason: "Given", message: "the bundle is the one of the resource" }]);
      return;
    }
    this.#say([accepted, { type: "BundleFetched", status: "Unknown", reason: "Pending", message: "not fetched yet" }]);
    this.#poll();
  }

  close(): void {
    this.#closed.abort();
    this.#timer?.clear();
  }

  status(): unknown {
    const bundle = this.#bundle;
    return {
      conditions: this.#conditions.map((condition) => ({
        ...condition,
        observedGeneration: this.#resource.metadata.generation,
        lastTransitionTime: timeText(this.#since.get(condition.type)?.sinceMs ?? 0),
      })),
      ...(bundle === undefined
        ? {}
        : {
            bundle: {
              x509Authorities: bundle.x509Authorities.length,
              jwtAuthorities: bundle.jwtAuthorities.length,
              ...(bundle.sequence === undefined ? {} : { sequence: bundle.sequence }),
              ...(this.#fetchedMs === 0 ? {} : { fetchedAt: timeText(this.#fetchedMs) }),
            },
          }),
      ...(this.#nextMs === 0 ? {} : { nextFetchAt: timeText(this.#nextMs) }),
    };
  }

  #poll(): void {
    const source = this.#source();
    const { fetch = fetchBundle, clock } = this.#options;
    const fetching =
      typeof source === "string" ? Promise.resolve(err(source)) : fetch(source, clock, this.#closed.signal);
    void fetching.then((fetched) => {
      if (this.#closed.signal.aborted) return;
      const taken = fetched.ok ? this.#take(fetched.value) : fetched;
      if (!taken.ok) this.#failed(taken.error);
    });
  }

  /** Where to fetch from now, or why that is not possible. */
  #source(): BundleSource | string {
    const { trustDomain, bundleEndpoint } = this.spec;
    if (bundleEndpoint === undefined) return "there is no endpoint";
    const { url, profile, spiffeId = "" } = bundleEndpoint;
    if (profile === "https_web") return { profile, url };
    const of = spiffeId.split("/")[2] ?? "";
    const roots = of === trustDomain ? (this.#bundle?.x509Authorities ?? []) : this.#events.rootsOf(of);
    if (roots.length === 0) return `there is no root of ${of} to check the endpoint ${spiffeId} with`;
    return { profile, url, spiffeId, roots };
  }

  #take({ bundle, text }: FetchedBundle): Result<undefined, string> {
    const before = this.#bundle;
    if (before?.sequence !== undefined && bundle.sequence !== undefined && bundle.sequence < before.sequence) {
      return err(
        `the endpoint gave the older bundle ${bundle.sequence}, ${before.sequence} is known; if that is meant, delete this resource and apply it again`,
      );
    }
    const { clock, events } = this.#options;
    const isOther = before === undefined || formatBundle(before) !== formatBundle(bundle);
    this.#bundle = bundle;
    this.#document = text;
    this.#fetchedMs = clock.nowMs();
    this.#backoff.reset();
    const counts = `${bundle.x509Authorities.length} X.509 roots, ${bundle.jwtAuthorities.length} JWT keys`;
    this.#say([accepted, { ...fetchedCondition, message: counts }]);
    if (isOther) {
      events.add({
        severity: "info",
        type: "FederatedBundleChanged",
        subject: this.spec.trustDomain,
        message: `The bundle of ${this.spec.trustDomain} has changed: ${counts}.`,
      });
      this.#events.changed();
    }
    const seconds = Math.min(MAX_INTERVAL_S, Math.max(MIN_INTERVAL_S, bundle.refreshHintS ?? DEFAULT_INTERVAL_S));
    // Not all consumers at the same moment.
    const { random = () => randomInt(1_000) / 1_000 } = this.#options;
    this.#again(seconds * 1000 * (0.9 + 0.1 * random()));
    return ok(undefined);
  }

  #failed(reason: string): void {
    const { events } = this.#options;
    const wasTold = this.#conditions.some(({ type, status }) => type === "BundleFetched" && status === "False");
    const message = `${reason}${this.#bundle === undefined ? "" : "; the last good bundle stays in force"}`;
    this.#say([accepted, { type: "BundleFetched", status: "False", reason: "FetchFailed", message }]);
    if (!wasTold) {
      events.add({
        severity: "warning",
        type: "FederatedBundleNotFetched",
        subject: this.spec.trustDomain,
        message: `The bundle of ${this.spec.trustDomain} could not be fetched: ${message}.`,
      });
    }
    this.#again(this.#backoff.next());
  }

  #again(delayMs: number): void {
    const { clock } = this.#options;
    this.#nextMs = clock.nowMs() + delayMs;
    this.#timer = clock.after(delayMs, () => this.#poll());
  }

  #say(conditions: readonly Condition[]): void {
    const nowMs = this.#options.clock.nowMs();
    this.#conditions = conditions;
    for (const { type, status } of conditions) {
      if (this.#since.get(type)?.status !== status) this.#since.set(type, { status, sinceMs: nowMs });
    }
    this.#events.keep({
      specSha256: this.#specSha256,
      document: this.#document,
      fetchedMs: this.#fetchedMs,
      conditions: Object.fromEntries(this.#since),
    });
  }
}

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const fetchedCondition: Condition = { type: "BundleFetched", status: "True", reason: "Fetched", message: "" };

function refused(reason: string, message: string): Condition {
  return { type: "Accepted", status: "False", reason, message };
}

/** A bundle as a resource gives it: a document, or PEM. */
function readGiven(text: string): Result<SpiffeBundle, string> {
  if (!text.includes("-----BEGIN ")) return parseBundle(text);
  const roots = pemToDer(text);
  return roots.ok ? ok({ ...emptyBundle, x509Authorities: roots.value }) : roots;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
