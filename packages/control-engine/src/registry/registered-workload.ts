// A workload as the registry keeps it.

import type { RegisterRequest } from "@ripstop/model";

/** One registered workload. Replaced as a whole when anything of it changes. */
export interface RegisteredWorkload {
  /** "NAMESPACE/INSTANCE". */
  readonly id: string;
  readonly namespace: string;
  /** Service name that it registered for. */
  readonly service: string;
  readonly serviceAccount: string;
  readonly spiffeId: string;
  /** With `app` = service. */
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
