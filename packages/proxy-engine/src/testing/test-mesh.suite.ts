// A mesh in one process: proxies joined by real loopback TLS, config written by hand, applications made by the test.

import { X509Certificate } from "node:crypto";
import { systemClock, type Clock } from "@ripstop/core";
import {
  Endpoint_Reach,
  endpointsType,
  hostBindingName,
  hostBindingType,
  Protocol,
  type ProxyProtocol,
  routesName,
  routesType,
  serviceType,
  trustBundleType,
  workloadType,
  type BootstrapUpstream,
  type BootstrapWorkload,
  type BackendTls,
  type Endpoint,
  type GatewayRegistration,
  type HttpRule,
  type LoadBalancing,
  type Locality,
  type PolicyRef,
  type ProxyPorts,
  type Resilience,
  type telemetry,
} from "@ripstop/model";
import { createPeerVerification } from "@ripstop/identity";
import type { FilterFactory } from "@ripstop/policy-api/proxy";
import { createMetricRegistry, type Logger } from "@ripstop/telemetry";
import { PatientClock, TestAuthority } from "@ripstop/testkit";
import { startProxy, type Proxy } from "../proxy.ts";
import { selectTier, type TlsIdentity } from "@ripstop/net";
import { FakeConfigClient } from "./fake-config-client.suite.ts";

/** The only trust domain of the tests. */
export const TRUST_DOMAIN = "test.local";

const silent: Logger = {
  level: "error",
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => console.error(message, fields),
  child: () => silent,
};

/** One port of a workload of the test. */
export interface TestPort {
  readonly port: number;
  /** Where the test's application listens. */
  readonly applicationPort: number;
  readonly protocol?: Protocol;
  readonly proxyProtocol?: ProxyProtocol;
}

/** A workload of the test. */
export interface TestWorkload {
  /** "NAMESPACE/INSTANCE". */
  readonly id: string;
  /** "NAMESPACE/NAME"; default none. */
  readonly service?: string;
  readonly ports?: readonly TestPort[];
  readonly upstreams?: readonly BootstrapUpstream[];
  readonly policies?: readonly PolicyRef[];
  readonly clock?: Clock;
  readonly factories?: readonly FilterFactory[];
  readonly config?: FakeConfigClient;
  /** Leave the workload's config out. */
  readonly unconfigured?: boolean;
  readonly random?: () => number;
  readonly inboundProxyProtocol?: boolean;
  readonly tunnelIdleMs?: number;
  readonly locality?: Locality;
  /** Makes it the placement of Gateways of its namespace. */
  readonly gateway?: GatewayRegistration;
}

/** A proxy of the test with what it reported. */
export interface TestProxy {
  readonly proxy: Proxy;
  readonly spiffeId: string;
  readonly ports: ProxyPorts["workloads"][string];
  readonly reports: telemetry.ProxyReport[];
  readonly becameReady: Promise<void>;
}

/** Everything of one test; `close` at its end. */
export class TestMesh {
  readonly authority: TestAuthority;
  readonly config: FakeConfigClient = new FakeConfigClient();
  readonly #proxies: Proxy[] = [];

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  /** `transport` names the tier that carries the connections; RIPSTOP_TRANSPORT chooses it where a test does not. */
  static async create(transport: string = process.env["RIPSTOP_TRANSPORT"] ?? "public"): Promise<TestMesh> {
    await selectTier({ clock: new PatientClock(), logger: silent, requested: transport });
    const mesh = new TestMesh(await TestAuthority.create(TRUST_DOMAIN));
    mesh.config.set(trustBundleType, TRUST_DOMAIN, {
      trustDomain: TRUST_DOMAIN,
      sequence: 1,
      revocations: [],
      x509Authorities: [Buffer.from(new X509Certificate(mesh.authority.bundlePem).raw)],
      federatesWith: [],
    });
    return mesh;
  }

  /** Starts the proxy of a workload and puts its config in force. */
  async start(workload: TestWorkload): Promise<TestProxy> {
    const [only] = await this.startNode([workload]);
    if (only === undefined) throw new Error("no proxy was started");
    return only;
  }

  /**
   * Starts one proxy for several workloads, each under its own identity, as a node proxy has them. Of what is set once
   * for a process (clock, factories, config, random) the first workload's counts. One answer for each workload.
   */
  async startNode(workloads: readonly [TestWorkload, ...TestWorkload[]]): Promise<readonly TestProxy[]> {
    const [first] = workloads;
    const identities = new Map<string, TlsIdentity>();
    const hosted: BootstrapWorkload[] = [];
    for (const workload of workloads) {
      const [namespace = "", instance = ""] = workload.id.split("/");
      const spiffeId = `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${instance.replace(/-[0-9]+$/, "")}`;
      const { chainPem, keyPem } = await this.authority.issue(spiffeId);
      identities.set(workload.id, { chainPem, keyPem });
      if (workload.unconfigured !== true) this.configure(workload);
      hosted.push({
        id: workload.id,
        namespace,
        spiffeId,
        inboundHost: "127.0.0.1",
        upstreams: workload.upstreams ?? [],
        inboundProxyProtocol: workload.inboundProxyProtocol ?? false,
        ...(workload.gateway === undefined ? {} : { gateway: workload.gateway }),
      });
    }
    const reports: telemetry.ProxyReport[] = [];
    let ready = (): void => undefined;
    const becameReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const started = await startProxy({
      bootstrap: {
        version: 1,
        trustDomain: TRUST_DOMAIN,
        proxyId: first.id,
        controlAddresses: [],
        controlIdentity: "",
        ...(first.tunnelIdleMs === undefined ? {} : { tunnelIdleMs: first.tunnelIdleMs }),
        workloads: hosted,
      },
      config: first.config ?? this.config,
      clock: first.clock ?? new PatientClock(),
      log: silent,
      metrics: createMetricRegistry(),
      identities,
      bundlePem: this.authority.bundlePem,
      verifyPeer: createPeerVerification(systemClock),
      filterFactories: first.factories ?? [],
      ports: undefined,
      sendReport: (report) => {
        reports.push(report);
        return true;
      },
      version: "test",
      onReady: () => ready(),
      ...(first.random === undefined ? {} : { random: first.random }),
    });
    if (!started.ok) throw started.error;
    const proxy = started.value;
    this.#proxies.push(proxy);
    return hosted.map(({ id, spiffeId }) => {
      const ports = proxy.ports.workloads[id];
      if (ports === undefined) throw new Error("the proxy has no ports");
      return { proxy, spiffeId, ports, reports, becameReady };
    });
  }

  /** Puts the config of a workload in force. */
  configure(workload: TestWorkload): void {
    const [namespace = "", instance = ""] = workload.id.split("/");
    this.config.set(workloadType, workload.id, {
      id: workload.id,
      namespace,
      serviceAccount: instance,
      spiffeId: "",
      labels: {},
      ports: (workload.ports ?? []).map((port) => ({
        port: port.port,
        protocol: port.protocol ?? Protocol.UNSPECIFIED,
        name: "",
        applicationAddress: `127.0.0.1:${port.applicationPort}`,
        ...(port.proxyProtocol === undefined ? {} : { proxyProtocol: port.proxyProtocol }),
      })),
      policies: [...(workload.policies ?? [])],
      locality: workload.locality,
      service: workload.service ?? "",
    });
  }

  /** Declares a service, seen from namespace "shop" under its name and "NAME.NAMESPACE". */
  service(service: string, options: ServiceOptions): void {
    const [namespace = "", name = ""] = service.split("/");
    this.config.set(serviceType, service, {
      namespace,
      name,
      hostnames: [name],
      addresses: [],
      ports: options.ports.map((port) => ({
        port: port.port,
        name: "",
        protocol: port.protocol ?? Protocol.UNSPECIFIED,
        ...(port.proxyProtocol === undefined ? {} : { proxyProtocol: port.proxyProtocol }),
        ...(port.backendTls === undefined ? {} : { backendTls: port.backendTls }),
      })),
      resilience: options.resilience === undefined ? undefined : { ...NO_RESILIENCE, ...options.resilience },
      ...(options.loadBalancing === undefined ? {} : { loadBalancing: { ...NO_BALANCING, ...options.loadBalancing } }),
    });
    this.endpoints(service, options.endpoints ?? []);
    this.routes(service, options.rules);
    for (const host of [name, `${name}.${namespace}`]) {
      this.config.set(hostBindingType, hostBindingName("shop", host), { name: hostBindingName("shop", host), service });
    }
  }

  /** Replaces the routes of a service; undefined attaches none. */
  routes(service: string, rules: readonly HttpRule[] | undefined): void {
    this.config.set(routesType, routesName(service, "shop"), {
      service,
      ports: rules === undefined ? [] : [{ port: 0, http: [...rules] }],
    });
  }

  /** Replaces the endpoints of a service. */
  endpoints(service: string, endpoints: readonly Endpoint[]): void {
    this.config.set(endpointsType, service, { service, endpoints: [...endpoints] });
  }

  async close(): Promise<void> {
    for (const proxy of this.#proxies) await proxy.close();
    await this.config.close();
  }
}

const NO_RESILIENCE: Resilience = {
  maxRetries: 0,
  retryBudgetPercent: 0,
  ejectAfterFailures: 0,
  ejectBaseMs: 0,
  connectTimeoutMs: 0,
  requestTimeoutMs: 0,
};

const NO_BALANCING: LoadBalancing = {
  source: "LoadBalancingPolicy shop/test",
  algorithm: 0,
  hashKeys: [],
  maxLoadPercent: 0,
  panicPercent: 0,
  adaptiveWeights: false,
  maxRestMs: 0,
};

/** A service of the test. */
export interface ServiceOptions {
  readonly ports: readonly {
    readonly port: number;
    readonly protocol?: Protocol;
    readonly proxyProtocol?: ProxyProtocol;
    readonly backendTls?: BackendTls;
  }[];
  readonly endpoints?: readonly Endpoint[];
  readonly rules?: readonly HttpRule[];
  readonly resilience?: Partial<Resilience>;
  readonly loadBalancing?: Partial<LoadBalancing>;
}

/** The endpoint that a started proxy is. */
export function meshEndpoint(id: string, started: TestProxy, targetPorts: Record<number, number>): Endpoint {
  return {
    id,
    reach: Endpoint_Reach.MESH,
    address: `127.0.0.1:${started.ports.inbound}`,
    spiffeId: started.spiffeId,
    weight: 1,
    healthy: true,
    locality: undefined,
    targetPorts,
    version: "",
  };
}

/** An endpoint outside the mesh. */
export function plainEndpoint(port: number, targetPorts: Record<number, number>): Endpoint {
  return {
    id: `127.0.0.1:${port}`,
    reach: Endpoint_Reach.PLAIN,
    address: `127.0.0.1:${port}`,
    spiffeId: "",
    weight: 1,
    healthy: true,
    locality: undefined,
    targetPorts,
    version: "",
  };
}

/** A rule that sends everything to `backends` of [service, port, weight]. */
export function rule(
  backends: readonly (readonly [string, number, number])[],
  parts: Partial<HttpRule> = {},
): HttpRule {
  return {
    source: "HTTPRoute shop/test rule 0 match 0",
    hostnames: [],
    path: undefined,
    method: "",
    headers: [],
    query: [],
    filters: [],
    backends: backends.map(([service, port, weight]) => ({
      service,
      port,
      weight,
      invalid: service === "" ? "it does not exist" : "",
      filters: [],
    })),
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    ...parts,
  };
}
