// A workload as the registry keeps it.

import type { ClosedGatewayPort, GatewayRegistration, RegisterRequest } from "@ripstop/model";

/** One registered workload. Replaced as a whole when anything of it changes. */
export interface RegisteredWorkload {
  /** "NAMESPACE/INSTANCE". */
  readonly id: string;
  readonly namespace: string;
  /** Service name that it registered for. */
  readonly service: string;
  readonly serviceAccount: string;
  readonly spiffeId: string;
  /** With `app` = service, and with those of `infrastructure`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly WorkloadPort[];
  /** Process id of the supervisor on this machine; 0 when not known. */
  readonly pid: number;
  readonly registeredMs: number;
  /** "HOST:PORT" of the proxy's inbound listener; "" before it listens. */
  readonly inboundAddress: string;
  readonly ready: boolean;
  /** When the last issued SVID ends. */
  readonly svidNotAfterMs: number;
  /** Lifetime of its SVIDs; absent: the authority's default. */
  readonly svidTtlMs?: number;
  /** The node whose agent registered it; absent for one that joined by itself. */
  readonly node?: string;
  /** When it was issued, its serial number (hex), and the root that it leads to (SHA-256, hex). Absent in old records. */
  readonly svidIssuedMs?: number;
  readonly svidSerialNumber?: string;
  readonly rootSha256?: string;
  /** Of several control planes the one that it sends its heartbeats to. */
  readonly replica?: string;
  /** What it says of the identity that it uses, for the others of several control planes. */
  readonly inForce?: IdentityInForce;
  /** Present in the placement of Gateways of its namespace. */
  readonly gateway?: GatewayRegistration;
  /** What it has of its Gateways: labels that are not its own, and annotations. Absent when there are none. */
  readonly infrastructure?: Infrastructure;
  /** Where its Gateways' listeners could not be opened; absent: everywhere they could. */
  readonly closedPorts?: readonly ClosedGatewayPort[];
}

/** What a workload has of the Gateways that it hosts (their `spec.infrastructure`). */
export interface Infrastructure {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the registry keeps of an issued SVID. */
export type SvidRecord = Pick<
  RegisteredWorkload,
  "svidNotAfterMs" | "svidIssuedMs" | "svidSerialNumber" | "rootSha256"
>;

/** What a workload says of the identity that it really uses; unknown until it was heard of since the start. */
export interface IdentityInForce {
  /** Of the trust bundle that its supervisor and its proxy have; undefined when it does not say. */
  readonly bundleSequence: number | undefined;
  /** Of the SVID that its proxy uses; "" while no proxy runs. */
  readonly svidSerialNumber: string | undefined;
}

/** One port of a workload. */
export interface WorkloadPort {
  readonly port: number;
  readonly servicePort: number;
  readonly protocol: RegisterRequest["ports"][number]["protocol"];
  /** The PROXY protocol header that the application wants; undefined for none. */
  readonly proxyProtocol?: "v1" | "v2";
  readonly applicationAddress: string;
}

/** "NAMESPACE/NAME" of the service that telemetry names the workload by. */
export function serviceOf(workload: RegisteredWorkload): string {
  return `${workload.namespace}/${workload.service}`;
}
