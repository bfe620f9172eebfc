// The compiled data-plane model, computed on demand, remembered, and recomputed by dependency.

import { createHash } from "node:crypto";

import type { ResourceSource, Subscriber, VersionedResource } from "@ripstop/discovery/server";
import {
  endpointsType,
  hostBindingType,
  policyType,
  resourceTypes,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  type ResourceType,
  type TrustBundle,
} from "@ripstop/model";
import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import { isDnsLabel } from "@ripstop/resources";
import type { Logger } from "@ripstop/telemetry";

import type { Registry } from "../registry/registry.ts";
import type { Store } from "../store/store.ts";
import { compileRoutes } from "./compile-routes.ts";
import { compileEndpoints, compileHostBinding, compileService } from "./compile-service.ts";
import { compilePolicy, compileWorkload } from "./compile-workload.ts";
import { DependencyMemo } from "./dependency-memo.ts";
import { maySee } from "./may-see.ts";
import { World, type WorldView } from "./world.ts";

/** What the compiler compiles from. */
export interface CompilerOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly policyKinds: readonly PolicyKind[];
  /** Policies that are attached to services; default none. */
  readonly servicePolicyKinds?: readonly ServicePolicyKind[];
  readonly trustDomain: string;
  /** The roots to trust. */
  bundle(): { readonly der: readonly Uint8Array[]; readonly sequence: number };
  /** Who is refused although a root vouches for it; default nobody. */
  revocations?(): readonly { readonly spiffeId: string; readonly serialNumber: string; readonly reason: string }[];
  /** Roots of the federated trust domains, by trust domain. */
  federated?(): FederatedRoots;
  readonly logger?: Logger;
}

type FederatedRoots = ReadonlyMap<
  string,
  { readonly x509Authorities: readonly Uint8Array[]; readonly sequence: number | undefined }
>;

type Listener = (typeUrl: string, names: readonly string[], revision: number) => void;

/** The longest is that of a GatewayRoute: two namespaces, two names of 253 characters, a kind. */
const MAX_NAME = 700;
const BUNDLE = "bundle";
/** For a change that belongs to no revision, such as an endpoint that came or went. */
const NO_REVISION = 0;

/** Implements ResourceSource: what to send, apart from how to send it. */
export class Compiler implements ResourceSource {
  readonly world: World;
  readonly #options: CompilerOptions;
  readonly #memo: DependencyMemo<VersionedResource | undefined>;
  readonly #listeners = new Set<Listener>();
  readonly #afterChange = new Set<(affected: ReadonlySet<string>) => void>();
  readonly #stops: (() => void)[] = [];
  #revision: number;

  constructor(options: CompilerOptions) {
    this.#options = options;
    const { store, registry, logger } = options;
    this.world = new World(store, registry, options);
    this.#memo = new DependencyMemo((key, error) => {
      logger?.error("a resource could not be compiled; its last good version stays", { key, error: String(error) });
      return undefined;
    });
    this.#revision = store.revision;
    const watching = store.watch(store.revision, (revision) => {
      this.#revision = revision.number;
      this.#apply(this.world.onRevision(revision), revision.number);
    });
    if (watching.ok) this.#stops.push(watching.value);
    this.#stops.push(registry.onChange((changes) => this.#apply(this.world.onWorkloads(changes), NO_REVISION)));
  }

  get revision(): number {
    return this.#revision;
  }

  /** How many resources were computed so far, and how many are remembered. */
  get statistics(): { readonly computed: number; readonly remembered: number } {
    return { computed: this.#memo.computed, remembered: this.#memo.size };
  }

  get(typeUrl: string, name: string, subscriber: Subscriber): VersionedResource | undefined {
    if (name.length > MAX_NAME || !maySee(this.#options.registry, typeUrl, { name, subscriber })) return undefined;
    const compile = compilers.get(typeUrl);
    if (compile === undefined) return undefined;
    return this.#memo.get(`${typeUrl} ${name}`, (read) => {
      if (typeUrl === trustBundleType.typeUrl) read(BUNDLE);
      const bytes = compile(this.world.view(read), name, this.#options);
      if (bytes === undefined) return undefined;
      return { name, version: createHash("sha256").update(bytes).digest("base64url").slice(0, 22), bytes };
    });
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

  /** Stops following store and registry. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#listeners.clear();
    this.#afterChange.clear();
  }

  #apply(affected: ReadonlySet<string>, revision: number): void {
    const changed = new Map<string, string[]>();
    for (const { key, before, after } of this.#memo.invalidate(affected)) {
      if (before?.version === after?.version) continue;
      const space = key.indexOf(" ");
      const typeUrl = key.slice(0, space);
      const names = changed.get(typeUrl);
      if (names === undefined) changed.set(typeUrl, [key.slice(space + 1)]);
      else names.push(key.slice(space + 1));
    }
    for (const { typeUrl } of resourceTypes) {
      const names = changed.get(typeUrl);
      if (names === undefined) continue;
      for (const listener of [...this.#listeners]) listener(typeUrl, names, revision);
    }
    for (const listener of [...this.#afterChange]) listener(affected);
  }
}

type Compile = (view: WorldView, name: string, options: CompilerOptions) => Uint8Array | undefined;

const compilers = new Map<string, Compile>([
  define(workloadType, (view, name) => compileWorkload(view, name)),
  define(policyType, (view, name, options) => compilePolicy(view, name, options)),
  define(serviceType, (view, name) =>
    withService(name, (namespace, service) => compileService(view, namespace, service)),
  ),
  define(endpointsType, (view, name) =>
    withService(name, (namespace, service) => compileEndpoints(view, namespace, service)),
  ),
  define(hostBindingType, (view, name) => {
    const [clientNamespace = "", host = "", ...more] = name.split("~");
    return more.length > 0 || !isDnsLabel(clientNamespace)
      ? undefined
      : compileHostBinding(view, clientNamespace, host);
  }),
  define(routesType, (view, name) => {
    const [target = "", clientNamespace = "", ...more] = name.split("@");
    if (more.length > 0 || !isDnsLabel(clientNamespace)) return undefined;
    return withService(target, (namespace, service) =>
      compileRoutes(view, { namespace, name: service }, clientNamespace),
    );
  }),
  define(trustBundleType, (_view, name, options) => compileTrustBundle(name, options)),
  define(telemetryType, (_view, name) => (name === "default" ? { reportIntervalMs: 1_000 } : undefined)),
]);

/** The own bundle names the federated ones, so that proxies ask for them. One that trusts nobody is none. */
function compileTrustBundle(name: string, options: CompilerOptions): TrustBundle | undefined {
  const federated: FederatedRoots = options.federated?.() ?? new Map<string, never>();
  if (name === options.trustDomain) {
    const { der, sequence } = options.bundle();
    const federatesWith = [...federated].filter(([, { x509Authorities }]) => x509Authorities.length > 0);
    return {
      trustDomain: name,
      sequence,
      x509Authorities: der.map((root) => Buffer.from(root)),
      federatesWith: federatesWith.map(([trustDomain]) => trustDomain).sort(),
      revocations: (options.revocations?.() ?? []).map(({ spiffeId, serialNumber, reason }) => ({
        spiffeId,
        serialNumber,
        reason,
      })),
    };
  }
  const bundle = federated.get(name);
  if (bundle === undefined || bundle.x509Authorities.length === 0) return undefined;
  return {
    trustDomain: name,
    sequence: bundle.sequence ?? 0,
    x509Authorities: bundle.x509Authorities.map((root) => Buffer.from(root)),
    federatesWith: [],
    revocations: [],
  };
}

function define<T>(
  type: ResourceType<T>,
  compile: (view: WorldView, name: string, options: CompilerOptions) => T | undefined,
): readonly [string, Compile] {
  return [
    type.typeUrl,
    (view, name, options) => {
      const resource = compile(view, name, options);
      return resource === undefined ? undefined : type.encode(resource);
    },
  ];
}

function withService<T>(name: string, compile: (namespace: string, service: string) => T): T | undefined {
  const [namespace = "", service = "", ...more] = name.split("/");
  return more.length > 0 || !isDnsLabel(namespace) || !isDnsLabel(service) ? undefined : compile(namespace, service);
}
