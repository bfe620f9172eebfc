// The compiled data-plane model, computed on demand, remembered, and recomputed by dependency.

import { hash } from "node:crypto";

import type { Clock } from "@ripstop/core";
import type { NameList, ResourceSource, Subscriber, VersionedResource } from "@ripstop/discovery/server";
import { endpointsType, parseWorkerStreamId, policyType, resourceTypes, trustBundleType } from "@ripstop/model";
import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Logger } from "@ripstop/telemetry";

import type { Registry } from "../registry/registry.ts";
import type { Store } from "../store/store.ts";
import { compilations, type MeshFacts } from "./compilations.ts";
import { CompileQueue, type CompileTask } from "./compile-queue.ts";
import { compileList, listScope } from "./compile-list.ts";
import { DependencyMemo } from "./dependency-memo.ts";
import { maySee } from "./may-see.ts";
import { RevisionFollower } from "./revision-follower.ts";
import type { KnownPolicies, WorldView } from "./world-view.ts";
import { World } from "./world.ts";

/** What the compiler compiles from. */
export interface CompilerOptions extends MeshFacts {
  readonly store: Store;
  readonly registry: Registry;
  /** Policies that are attached to services; default none. */
  readonly servicePolicyKinds?: readonly ServicePolicyKind[];
  /** Addresses of a host outside the mesh, as far as they are known; call `addressesChanged` when they change. */
  addressesOf?(host: string): readonly string[];
  /** Instances that registries outside the mesh name; call `importsChanged` when they change. */
  readonly imports?: NonNullable<KnownPolicies["imports"]>;
  /** Who is held down for coming and going; call `dampingChanged` when that changes. */
  readonly damper?: NonNullable<KnownPolicies["damper"]>;
  readonly logger?: Logger;
  /** Lets large changes be compiled in slices, and each namespace within its budget; absent, all is done at once. */
  readonly clock?: Clock;
  /** Milliseconds that compiling for one namespace may take in five seconds before it waits; default 500. */
  readonly budgetMs?: number;
  /** What an operator should know of a namespace whose resources cost too much or cannot be compiled. */
  readonly onTrouble?: (trouble: CompileTrouble) => void;
}

/** A namespace over its budget, or a resource that could not be compiled (its last good version stays). */
export interface CompileTrouble {
  readonly kind: "over-budget" | "failed" | "too-large";
  /** Namespace whose resources it is; "" when it is nobody's. */
  readonly namespace: string;
  readonly message: string;
}

/** What a wildcard stands for, as it is remembered. */
interface VersionedList extends NameList {
  readonly version: string;
}

type Listener = (typeUrl: string, names: readonly string[], revision: number) => void;

/** The longest is that of a GatewayRoute: two namespaces, two names of 253 characters, a kind. */
const MAX_NAME = 700;
/** Bytes of one compiled resource; a larger one would stall the streams that carry it. */
const MAX_RESOURCE_BYTES = 4 * 1024 * 1024;
/** Endpoints that one change may touch and still go before everything else. */
const MAX_URGENT = 64;
const BUNDLE = "bundle";
/** The names of lists begin with it, and no resource's does. */
const LIST = "*";
/** For a change that belongs to no revision, such as an endpoint that came or went. */
const NO_REVISION = 0;

/** Implements ResourceSource: what to send, apart from how to send it. */
export class Compiler implements ResourceSource {
  readonly world: World;
  readonly #options: CompilerOptions;
  readonly #memo: DependencyMemo<VersionedResource | VersionedList | undefined>;
  readonly #listeners = new Set<Listener>();
  readonly #afterChange = new Set<(affected: ReadonlySet<string>) => void>();
  readonly #stops: (() => void)[] = [];
  readonly #queue: CompileQueue;
  /** Changed in this turn and not told yet: revision → type URL → names. */
  #changed = new Map<number, Map<string, string[]>>();
  #revision: number;
  /** One view for all: making one costs as much as compiling a small resource. */
  readonly #view: WorldView;
  #read: (dependency: string) => void = () => undefined;

  constructor(options: CompilerOptions) {
    this.#options = options;
    const { store, registry, logger, clock, budgetMs, onTrouble } = options;
    this.world = new World(store, registry, options);
    this.#view = this.world.view((dependency) => this.#read(dependency));
    this.#memo = new DependencyMemo((key, error) => {
      logger?.error("a resource could not be compiled; its last good version stays", { key, error: String(error) });
      const kind = error instanceof TooLarge ? "too-large" : "failed";
      const message = error instanceof Error ? error.message : String(error);
      onTrouble?.({ kind, namespace: ownerOf(key), message: `${nameOf(key)}: ${message}` });
      return undefined;
    });
    this.#queue = new CompileQueue(
      {
        ...(clock === undefined ? {} : { clock }),
        ...(budgetMs === undefined ? {} : { budgetMs }),
        onOverBudget: (namespace, spentMs) => {
          const message = `compiling for it took ${Math.round(spentMs)} ms of its budget; its further changes wait for the next window`;
          onTrouble?.({ kind: "over-budget", namespace, message });
        },
      },
      (key, revision) => this.#recompute(key, revision),
      (revision) => this.#tell(revision),
    );
    this.#revision = store.revision;
    const follower = new RevisionFollower(this.world, clock, (affected, revision) => this.#apply(affected, revision));
    const watching = store.watch(store.revision, (revision) => follower.add(revision));
    if (watching.ok) this.#stops.push(watching.value);
    this.#stops.push(() => follower.close());
    this.#stops.push(registry.onChange((changes) => this.#apply(this.world.onWorkloads(changes), NO_REVISION)));
  }

  get revision(): number {
    return this.#revision;
  }

  /** How many resources were computed so far, how many are remembered, and how many wait to be computed again. */
  get statistics(): { readonly computed: number; readonly remembered: number; readonly waiting: number } {
    return { computed: this.#memo.computed, remembered: this.#memo.size, waiting: this.#queue.size };
  }

  get(typeUrl: string, name: string, subscriber: Subscriber): VersionedResource | undefined {
    if (name.length > MAX_NAME || !maySee(this.#options.registry, typeUrl, { name, subscriber })) return undefined;
    const compile = compilations.get(typeUrl);
    if (compile === undefined || name.startsWith(LIST)) return undefined;
    const compiled = this.#memo.get(`${typeUrl} ${name}`, (read) => {
      if (typeUrl === trustBundleType.typeUrl) read(BUNDLE);
      const bytes = this.#reading(read, (view) => compile(view, name, this.#options));
      if (bytes === undefined) return undefined;
      if (bytes.length > MAX_RESOURCE_BYTES) throw new TooLarge(bytes.length);
      return { name, version: versionOf(bytes), bytes };
    });
    return compiled !== undefined && "bytes" in compiled ? compiled : undefined;
  }

  list(typeUrl: string, subscriber: Subscriber): NameList | undefined {
    const workload = this.#options.registry.get(parseWorkerStreamId(subscriber.proxyId).proxyId);
    const scope = workload === undefined ? undefined : listScope(typeUrl, workload);
    if (scope === undefined) return undefined;
    const name = `${LIST}${scope}`;
    const listed = this.#memo.get(`${typeUrl} ${name}`, (read) => {
      if (typeUrl === trustBundleType.typeUrl) read(BUNDLE);
      const names = this.#reading(read, (view) =>
        compileList(view, { typeUrl, scope }, () => [
          this.#options.trustDomain,
          ...(this.#options.federated?.().keys() ?? []),
        ]),
      );
      return { name, version: versionOf(names.join("\n")), names: new Set(names) };
    });
    return listed !== undefined && "names" in listed ? listed : { name, names: new Set() };
  }

  /** Computes something with the view; its reads go to `read`. */
  #reading<T>(read: (dependency: string) => void, work: (view: WorldView) => T): T {
    const outer = this.#read;
    this.#read = read;
    try {
      return work(this.#view);
    } finally {
      this.#read = outer;
    }
  }

  watch(changed: Listener): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  release(typeUrl: string, name: string): void {
    this.#memo.delete(`${typeUrl} ${name}`);
  }

  /** Calls `listener` after each change with the names of the reads that it affects; returns how to stop. */
  onAffected(listener: (affected: ReadonlySet<string>) => void): () => void {
    this.#afterChange.add(listener);
    return () => this.#afterChange.delete(listener);
  }

  /** The roots of trust, or the revocations, changed. */
  bundleChanged(): void {
    this.#apply(new Set([BUNDLE]), NO_REVISION);
  }

  /** A host outside the mesh has other addresses. */
  addressesChanged(host: string): void {
    this.#apply(new Set([`dns:${host}`]), NO_REVISION);
  }

  /** A Service ("NAMESPACE/NAME") has other imported instances. */
  importsChanged(service: string): void {
    this.#apply(new Set([`imports:${service}`]), NO_REVISION);
  }

  /** Instances were held down or let go, by their damping keys. */
  dampingChanged(keys: readonly string[], serviceOfSource: (source: string) => string | undefined): void {
    this.#apply(this.world.onDamping(keys, serviceOfSource), NO_REVISION);
  }

  /** Whether anything in use was compiled from the addresses of a host. */
  usesAddresses(host: string): boolean {
    return this.#memo.has(`dns:${host}`);
  }

  /** Stops following store and registry. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#queue.close();
    this.#listeners.clear();
    this.#afterChange.clear();
  }

  #apply(affected: ReadonlySet<string>, revision: number): void {
    const keys = this.#memo.markStale(affected);
    const tasks: CompileTask[] = [];
    for (const key of keys) {
      const urgent = revision === NO_REVISION && keys.size <= MAX_URGENT && key.startsWith(ENDPOINTS_KEY);
      tasks.push({ key, namespace: ownerOf(key), revision, urgent });
    }
    this.#queue.add(tasks, revision);
    for (const listener of [...this.#afterChange]) listener(affected);
  }

  #recompute(key: string, revision: number): void {
    const one = this.#memo.recompute(key);
    if (one === undefined || one.before?.version === one.after?.version) return;
    let byType = this.#changed.get(revision);
    if (byType === undefined) this.#changed.set(revision, (byType = new Map<string, string[]>()));
    const space = key.indexOf(" ");
    const typeUrl = key.slice(0, space);
    const names = byType.get(typeUrl);
    if (names === undefined) byType.set(typeUrl, [key.slice(space + 1)]);
    else names.push(key.slice(space + 1));
  }

  /** Reports what changed in this turn, when the revision is in force of which nothing waits any more. */
  #tell(complete: number): void {
    this.#revision = Math.max(this.#revision, complete);
    const changed = this.#changed;
    this.#changed = new Map();
    for (const [revision, byType] of changed) {
      for (const { typeUrl } of resourceTypes) {
        const names = byType.get(typeUrl);
        if (names === undefined) continue;
        for (const listener of [...this.#listeners]) listener(typeUrl, names, revision);
      }
    }
  }
}

class TooLarge extends Error {
  constructor(bytes: number) {
    super(`it has ${bytes} bytes when compiled; the most is ${MAX_RESOURCE_BYTES}`);
  }
}

/** Changes exactly when the content does. */
function versionOf(content: Uint8Array | string): string {
  return hash("sha256", content, "base64url").slice(0, 22);
}

const ENDPOINTS_KEY = `${endpointsType.typeUrl} `;

/** The resource's name in a key. */
function nameOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

/** The namespace that pays for computing a key; "" for what belongs to the mesh. */
function ownerOf(key: string): string {
  const space = key.indexOf(" ");
  const name = key.slice(key.startsWith(LIST, space + 1) ? space + 2 : space + 1);
  const [first = "", second = "", ...more] = name.split("/");
  if (key.slice(0, space) === policyType.typeUrl) return more.length > 0 ? second : "";
  const tilde = name.indexOf("~");
  if (tilde >= 0) return name.slice(0, tilde);
  return second === "" ? "" : first;
}
