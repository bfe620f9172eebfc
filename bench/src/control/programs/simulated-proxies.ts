// Simulated proxies: the product's own client of the config stream, many in one process, without the data plane. Each
// connects over TLS with the shared SVID under its own id, subscribes as a proxy that uses its services, and notes when
// it gets which change. Started by fork; commands and answers travel over the channel to the parent.

import { systemClock } from "@ripstop/core";
import { ClientCredentials, ConfigStream, ControlConnection } from "@ripstop/discovery/client";
import { createPeerVerification } from "@ripstop/identity";
import {
  endpointsType,
  hostBindingName,
  hostBindingType,
  routesName,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  type Endpoints,
  type ResourceType,
} from "@ripstop/model";
import { PROXY_NAMESPACE, proxyId, sequenceOf, serviceName, servicesOf, type MeshShape } from "../mesh-shape.ts";
import { machineMs, type Delivery } from "./machine-time.ts";

/** The shared identity and where the control plane is. */
export interface ProxyFiles {
  readonly svid: string;
  readonly key: string;
  readonly bundle: string;
  /** "HOST:PORT". */
  readonly address: string;
  readonly controlIdentity: string;
}

/** What the parent asks. */
export type Command =
  | {
      readonly type: "connect";
      readonly files: ProxyFiles;
      readonly shape: MeshShape;
      readonly first: number;
      readonly count: number;
    }
  | { readonly type: "state" }
  | { readonly type: "collect" };

/** How far the proxies are. */
export interface ProxiesState {
  readonly connected: number;
  /** Proxies with a first answer for everything that they subscribe to. */
  readonly complete: number;
  /** Updates of endpoints that were older than what the proxy had. */
  readonly wentBack: number;
  readonly residentBytes: number;
  /** The newest change of the hot service that every proxy has. */
  readonly hotSequence: number;
}

interface Surroundings {
  readonly files: ProxyFiles;
  readonly shape: MeshShape;
  /** Of all proxies of this process: on hosts of their own each would read its own. */
  readonly credentials: ClientCredentials;
}

class SimulatedProxy {
  /** Resources without a first answer. */
  missing = 0;
  hotSequence = 0;
  wentBack = 0;
  readonly stream: ConfigStream;
  readonly #connection: ControlConnection;

  constructor(proxy: number, { files, shape, credentials }: Surroundings) {
    this.#connection = new ControlConnection({
      addresses: [files.address],
      controlIdentity: files.controlIdentity,
      files: credentials,
      verifyPeer,
      clock: systemClock,
    });
    this.stream = new ConfigStream({
      proxyId: proxyId(proxy),
      cached: new Map(),
      onAlive: () => this.#connection.confirm(),
      onBroken: (reason) => this.#connection.fail(reason),
      onChanged: () => undefined,
    });
    this.#connection.use(this.stream);
    this.#want(trustBundleType, "mesh.local");
    this.#want(workloadType, proxyId(proxy));
    this.#want(telemetryType, "default");
    for (const service of servicesOf(proxy, shape)) {
      const name = serviceName(service);
      const [namespace = "", short = ""] = name.split("/");
      this.#want(hostBindingType, hostBindingName(PROXY_NAMESPACE, `${short}.${namespace}`));
      this.#want(serviceType, name);
      this.#want(routesType, routesName(name, PROXY_NAMESPACE));
      let newest = 0;
      this.#want(endpointsType, name, ({ endpoints }: Endpoints) => {
        let sequence = 0;
        for (const { address } of endpoints) sequence = Math.max(sequence, sequenceOf(address));
        if (sequence < newest) this.wentBack++;
        if (sequence > newest) deliveries.push([proxy, service, sequence, machineMs()]);
        newest = sequence;
        if (service === 0) this.hotSequence = sequence;
      });
    }
    this.#connection.start();
  }

  #want<T>(type: ResourceType<T>, name: string, onResource: (resource: T) => void = () => undefined): void {
    let isFirst = true;
    this.missing++;
    const answered = (): void => {
      if (isFirst) this.missing--;
      isFirst = false;
    };
    this.stream.watch(type, name, {
      onResource: (resource) => {
        answered();
        onResource(resource);
      },
      onRemoved: answered,
    });
  }
}

const verifyPeer = createPeerVerification(systemClock);
const proxies: SimulatedProxy[] = [];
let deliveries: Delivery[] = [];

function answer(command: Command): unknown {
  switch (command.type) {
    case "connect": {
      const credentials = new ClientCredentials(command.files);
      for (let at = 0; at < command.count; at++)
        proxies.push(new SimulatedProxy(command.first + at, { ...command, credentials }));
      return undefined;
    }
    case "state":
      return {
        connected: proxies.filter(({ stream }) => stream.connected).length,
        complete: proxies.filter(({ missing }) => missing === 0).length,
        wentBack: proxies.reduce((sum, { wentBack }) => sum + wentBack, 0),
        residentBytes: process.memoryUsage().rss,
        hotSequence: Math.min(...proxies.map(({ hotSequence }) => hotSequence)),
      } satisfies ProxiesState;
    case "collect": {
      const collected = deliveries;
      deliveries = [];
      return collected;
    }
    default:
      return command satisfies never;
  }
}

process.on("message", (command: Command) => process.send?.({ answer: answer(command) }));
process.on("disconnect", () => process.exit(0));
