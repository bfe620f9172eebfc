// A small mesh for the tests of the config stream: real certificates, real mutual TLS on loopback, a fake model.

import { createHash, type X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ResourceType } from "@ripstop/model";
import type { Counter, Gauge, Histogram, Labels, LogFields, Logger, MetricRegistry } from "@ripstop/telemetry";
import { PatientClock, TestAuthority } from "@ripstop/testkit";

import { startDiscoveryClient, type DiscoveryClient, type DiscoveryClientOptions } from "./client/index.ts";
import type { PeerVerdict } from "./peer-verifier.ts";
import {
  startDiscoveryServer,
  type DiscoveryServer,
  type DiscoveryServerOptions,
  type NameList,
  type ResourceSource,
  type ServerTls,
  type VersionedResource,
} from "./server/index.ts";

/** Lets a test wait for a condition without polling: it is looked at again after every event of any fake. */
export class Changes {
  readonly #waiters = new Set<() => void>();

  notify(): void {
    for (const waiter of this.#waiters) waiter();
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
    });
  }
}

/** Counters that tests can read and wait for. */
export class FakeMetrics implements MetricRegistry {
  readonly values: Map<string, number> = new Map();
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  /** Sum of all series of a metric. */
  total(name: string): number {
    let total = 0;
    for (const [key, value] of this.values) if (key.split("{")[0] === name) total += value;
    return total;
  }

  counter(name: string, _help: string, labels: Labels = {}): Counter & Gauge {
    const key = `${name}{${JSON.stringify(labels)}`;
    const set = (value: number): void => {
      this.values.set(key, value);
      this.#changes.notify();
    };
    const read = (): number => this.values.get(key) ?? 0;
    return {
      add: (amount) => set(read() + amount),
      set,
      get value() {
        return read();
      },
    };
  }

  gauge(name: string, help: string, labels?: Labels): Gauge {
    return this.counter(name, help, labels);
  }

  histogram(): Histogram {
    return { record: () => undefined, count: 0, sum: 0, quantile: () => 0 };
  }

  render(): string {
    return "";
  }
}

/** A logger that keeps warnings and errors. */
export class FakeLogger implements Logger {
  level: Logger["level"] = "debug";
  readonly problems: string[] = [];
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  debug(): void {}

  info(): void {}

  warn(message: string, fields?: LogFields): void {
    this.problems.push(`${message} ${JSON.stringify(fields ?? {})}`);
    this.#changes.notify();
  }

  error(message: string, fields?: LogFields): void {
    this.warn(message, fields);
  }

  child(): Logger {
    return this;
  }
}

/** A compiled model that a test edits. */
export class FakeSource implements ResourceSource {
  revision = 0;
  readonly #resources = new Map<string, VersionedResource>();
  readonly #watchers = new Set<(typeUrl: string, names: readonly string[], revision: number) => void>();
  readonly #lists = new Map<string, ReadonlySet<string>>();

  list(typeUrl: string): NameList | undefined {
    const names = this.#lists.get(typeUrl);
    return names === undefined ? undefined : { name: "*all", names };
  }

  /** Sets what `*` stands for under a new revision, which it returns. */
  setList(type: ResourceType<unknown>, names: Iterable<string>): number {
    this.revision++;
    this.#lists.set(type.typeUrl, new Set(names));
    for (const watcher of this.#watchers) watcher(type.typeUrl, ["*all"], this.revision);
    return this.revision;
  }

  get(typeUrl: string, name: string): VersionedResource | undefined {
    return this.#resources.get(`${typeUrl} ${name}`);
  }

  watch(changed: (typeUrl: string, names: readonly string[], revision: number) => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** Sets or (with undefined) removes a resource under a new revision, which it returns. */
  put<T>(type: ResourceType<T>, name: string, resource: T | undefined): number {
    this.revision++;
    this.change(type, name, resource, this.revision);
    return this.revision;
  }

  /** Sets or removes a resource; says that the change belongs to `revision` (0 = none). */
  change<T>(type: ResourceType<T>, name: string, resource: T | undefined, revision: number): void {
    this.changeUntold(type, name, resource);
    for (const watcher of this.#watchers) watcher(type.typeUrl, [name], revision);
  }

  /** Sets or removes a resource and tells nobody, as a fault would. */
  changeUntold<T>(type: ResourceType<T>, name: string, resource: T | undefined): void {
    const key = `${type.typeUrl} ${name}`;
    if (resource === undefined) {
      this.#resources.delete(key);
    } else {
      const bytes = type.encode(resource);
      const version = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
      this.#resources.set(key, { name, version, bytes });
    }
  }
}

/** The SPIFFE id in a certificate, as far as these tests need it. */
export function verifyPeer(leaf: X509Certificate): PeerVerdict {
  const id = /^URI:(spiffe:\/\/[a-z.]+\/ns\/[a-z-]+\/sa\/[a-z]+)$/.exec(leaf.subjectAltName ?? "")?.[1];
  return id === undefined ? { ok: false, reason: "not an SVID" } : { ok: true, id };
}

/** The id of service account `account` in namespace shop. */
export function idOf(account: string): string {
  return `spiffe://test.mesh/ns/shop/sa/${account}`;
}

const CONTROL_ID = "spiffe://test.mesh/ns/ripstop-system/sa/control";

/** Everything that one test uses, ended by `close`. */
export class TestMesh {
  readonly changes: Changes = new Changes();
  readonly source: FakeSource = new FakeSource();
  readonly serverMetrics: FakeMetrics = new FakeMetrics(this.changes);
  readonly clientMetrics: FakeMetrics = new FakeMetrics(this.changes);
  readonly logger: FakeLogger = new FakeLogger(this.changes);
  /** Proxy id → identity. */
  readonly registered: Map<string, string> = new Map();
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly #closers: (() => Promise<void> | void)[] = [];

  private constructor(directory: string, authority: TestAuthority) {
    this.directory = directory;
    this.authority = authority;
    this.#closers.push(() => rm(directory, { recursive: true, force: true }));
  }

  static async open(): Promise<TestMesh> {
    const root = await TestAuthority.create("test.mesh");
    return new TestMesh(await mkdtemp(join(tmpdir(), "ripstop-discovery-")), await root.intermediate());
  }

  /** Chain and key for an id; the roots are always those of this mesh. */
  async tls(spiffeId: string = CONTROL_ID, authority: TestAuthority = this.authority): Promise<ServerTls> {
    const { chainPem, keyPem } = await authority.issue(spiffeId);
    return { chainPem, keyPem, rootsPem: this.authority.bundlePem };
  }

  async server(options: Partial<DiscoveryServerOptions> = {}): Promise<DiscoveryServer> {
    const started = await startDiscoveryServer({
      source: this.source,
      tls: await this.tls(),
      verifyPeer,
      authorize: (proxyId, identity) => this.registered.get(proxyId) === identity,
      clock: new PatientClock(),
      metrics: this.serverMetrics,
      ...options,
    });
    if (!started.ok) throw new Error(started.error);
    this.#closers.push(() => started.value.close());
    return started.value;
  }

  /** A client with an SVID for `account`, registered unless told otherwise. Its files are kept per proxy id. */
  async client(
    proxyId: string,
    address: string,
    options: { readonly account?: string; readonly authority?: TestAuthority } & Partial<DiscoveryClientOptions> = {},
  ): Promise<DiscoveryClient> {
    const { account = proxyId, authority = this.authority, ...rest } = options;
    const spiffeId = idOf(account);
    if (!this.registered.has(proxyId)) this.registered.set(proxyId, spiffeId);
    const { chainPem, keyPem, rootsPem } = await this.tls(spiffeId, authority);
    const files = {
      svid: join(this.directory, `${proxyId}.svid.pem`),
      key: join(this.directory, `${proxyId}.key.pem`),
      bundle: join(this.directory, "bundle.pem"),
      cache: join(this.directory, `${proxyId}.cache.bin`),
    };
    await writeFile(files.svid, chainPem);
    await writeFile(files.key, keyPem);
    await writeFile(files.bundle, rootsPem);
    const client = startDiscoveryClient({
      proxyId,
      controlAddresses: [address],
      controlIdentity: CONTROL_ID,
      files,
      verifyPeer,
      clock: new PatientClock(),
      metrics: this.clientMetrics,
      logger: this.logger,
      random: () => 0,
      ...rest,
    });
    this.#closers.push(() => client.close());
    return client;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
  }
}

/** A watcher that remembers what it was told. */
export class View<T> {
  current: T | undefined;
  readonly history: (T | undefined)[] = [];
  /** Set to refuse resources. */
  refuse: ((resource: T) => string | undefined) | undefined;
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  onResource(resource: T): void {
    const reason = this.refuse?.(resource);
    if (reason !== undefined) throw new Error(reason);
    this.#set(resource);
  }

  onRemoved(): void {
    this.#set(undefined);
  }

  #set(resource: T | undefined): void {
    this.current = resource;
    this.history.push(resource);
    this.#changes.notify();
  }
}
