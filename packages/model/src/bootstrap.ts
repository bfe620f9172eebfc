// The contract between the host side (`ripstop run`, the agent) and the proxy process that it supervises:
// the files in the proxy's state directory, and the messages on the process's IPC channel.

import type { ClosedGatewayPort, GatewayRegistration } from "./api.ts";

/** Names of files in the state directory (mode 0700; every file 0600, replaced atomically by rename). */
export const stateFiles = {
  /** ProxyBootstrap as JSON, written by the supervisor before the proxy starts. */
  bootstrap: "bootstrap.json",
  /**
   * The trust domain's roots: who may speak for the control plane and for peers until the stream says more. PEM with a
   * line of explanatory text before it (RFC 7468, section 2) that holds its number, see `bundleFile`.
   */
  bundle: "bundle.pem",
  /** The ports that the proxy took at its first start (ProxyPorts as JSON), so that a restart takes the same. Written by the proxy. */
  ports: "ports.json",
  /** Last good config, so that the proxy restarts without the control plane. Written by the proxy. */
  cache: "config-cache.bin",
  /** The proxy's admin socket. */
  adminSocket: "admin.sock",
} as const;

/** Text of the bundle file: the roots with the number of the bundle. */
export function bundleFile(pem: string, sequence: number): string {
  return `Ripstop trust bundle ${sequence}\n${pem}`;
}

/** Number of the bundle in a bundle file; 0 when it says none. */
export function bundleFileSequence(text: string): number {
  const sequence = Number(/^Ripstop trust bundle ([0-9]{1,15})$/m.exec(text.slice(0, 100))?.[1] ?? 0);
  return Number.isSafeInteger(sequence) ? sequence : 0;
}

/** Files of one workload's identity: leaf first, then intermediates (PEM); the key is PKCS #8 PEM. */
export function identityFiles(workloadId: string): { readonly svid: string; readonly key: string } {
  const base = workloadId.replace("/", "_");
  return { svid: `${base}.svid.pem`, key: `${base}.key.pem` };
}

/** What a proxy is told at its start; everything else comes on the config stream. */
export interface ProxyBootstrap {
  readonly version: 1;
  readonly trustDomain: string;
  /** Unique name of this proxy; for a sidecar the id of its workload. */
  readonly proxyId: string;
  /** "HOST:PORT" of the stream endpoint (mutual TLS) of each control plane; each proxy tries them in an order of its own. */
  readonly controlAddresses: readonly string[];
  /** SPIFFE id that the control plane must present. */
  readonly controlIdentity: string;
  readonly workloads: readonly BootstrapWorkload[];
  /** Loopback port that serves GET /metrics for Prometheus; absent: metrics are on the admin socket only. */
  readonly metricsPort?: number;
  /** Raw connections through which nothing passes end after this time; default one hour, 0 = never. */
  readonly tunnelIdleMs?: number;
}

/** One hosted workload. */
export interface BootstrapWorkload {
  /** "NAMESPACE/INSTANCE". */
  readonly id: string;
  readonly namespace: string;
  readonly spiffeId: string;
  /** Address that the inbound mutual-TLS listener binds and peers dial. */
  readonly inboundHost: string;
  /** Outbound listeners on loopback, one per declared upstream. */
  readonly upstreams: readonly BootstrapUpstream[];
  /** Connections of peers begin with a PROXY protocol header, put there by a load balancer in front; default false. */
  readonly inboundProxyProtocol?: boolean;
  /** The workload is the placement of these Gateways: no application is beside it, so that it has no other listeners. */
  readonly gateway?: GatewayRegistration;
}

/** One declared upstream: a loopback port that leads to a service. */
export interface BootstrapUpstream {
  /** Host name as the application would write it: "stock", "stock.shop". */
  readonly host: string;
  /** Service port; 0 means the service's only (or first) port. */
  readonly port: number;
  /** Connections to the loopback port begin with a PROXY protocol header; one without is closed. Default false. */
  readonly proxyProtocol?: boolean;
}

/** The ports that a proxy listens on. */
export interface ProxyPorts {
  /** By workload id. */
  readonly workloads: Readonly<
    Record<
      string,
      {
        /** Inbound mutual TLS. */
        readonly inbound: number;
        /** Outbound HTTP proxy on loopback. */
        readonly httpProxy: number;
        /** In the order of BootstrapWorkload.upstreams. */
        readonly upstreams: readonly number[];
      }
    >
  >;
}

/** Which connections a listening socket takes: of peers, or of the application beside the proxy. */
export type ListenerSide = "inbound" | "outbound";

/** Most workers of one proxy. */
export const MAX_WORKERS = 64;

/**
 * The id under which a worker of a proxy opens its streams: that of the proxy itself for slot 0, else "PROXYID#SLOT".
 * Two processes of a proxy that live at the same time have different slots.
 */
export function workerStreamId(proxyId: string, slot: number): string {
  return slot === 0 ? proxyId : `${proxyId}#${slot}`;
}

/** The proxy and the slot of a stream id. What is no such id is a proxy id as it stands. */
export function parseWorkerStreamId(streamId: string): { readonly proxyId: string; readonly slot: number } {
  const at = streamId.lastIndexOf("#");
  const slot = at < 0 ? 0 : Number(streamId.slice(at + 1));
  if (at < 0 || !Number.isInteger(slot) || slot < 1 || workerStreamId(streamId.slice(0, at), slot) !== streamId)
    return { proxyId: streamId, slot: 0 };
  return { proxyId: streamId.slice(0, at), slot };
}

/** Proxy → supervisor. */
export type ProxyMessage =
  /** Listeners are open (not yet serving); sent at once at start. */
  | { readonly type: "listening"; readonly ports: ProxyPorts }
  /** First complete config is in force: the application may start. */
  | { readonly type: "ready"; readonly fromCache: boolean }
  /** These are in force: the SVID (serial number, hex, lower case) of a workload, and at least this trust bundle. */
  | {
      readonly type: "identity";
      readonly workloadId: string;
      readonly svidSerialNumber: string;
      readonly bundleSequence: number;
    }
  /** Drained after a "drain" message; the process exits next. */
  | { readonly type: "drained" }
  /** Comes with a copy of a listening socket, for the supervisor to keep for the processes that follow. */
  | { readonly type: "listener"; readonly key: string; readonly side: ListenerSide }
  /** Of the lead: a listener is not wanted any more (of a Gateway that changed); all copies are to be closed. */
  | { readonly type: "listener-closed"; readonly key: string }
  /** Of another worker: a Gateway wants this socket, which is kept already or will be opened by the lead. */
  | { readonly type: "listener-wanted"; readonly key: string }
  /** All ports of Gateways that cannot be opened now; sent after "listening", after "lead", and when they change. */
  | { readonly type: "closed-ports"; readonly ports: readonly ClosedGatewayPort[] }
  /** After "retire": the files and the admin socket are free for the next lead. */
  | { readonly type: "retiring" }
  /** A question of the lead to all other workers, and the answer of one of them (`from` is its slot). */
  | { readonly type: "ask"; readonly id: number; readonly question: WorkerQuestion }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown };

/** What the lead may ask the other workers. */
export type WorkerQuestion =
  | { readonly what: "metrics" | "config" | "connections" | "log-level" }
  | { readonly what: "set-log-level"; readonly level: string }
  | { readonly what: "drain"; readonly deadlineMs: number };

/** Supervisor → proxy. */
export type SupervisorMessage =
  /** The SVID or bundle files of a workload were replaced: read them again. */
  | { readonly type: "identity"; readonly workloadId: string }
  /** The control planes are these now ("HOST:PORT" of their stream endpoints). */
  | { readonly type: "control-addresses"; readonly addresses: readonly string[] }
  /** Stop accepting inbound work, finish what is in flight, at most `deadlineMs`; outbound goes on until the channel closes. */
  | { readonly type: "drain"; readonly deadlineMs: number }
  /** Comes with a listening socket that the supervisor keeps: before "take-over", and when the lead opened or a worker wants it. */
  | { readonly type: "listener"; readonly key: string; readonly side: ListenerSide }
  /** The lead closed a socket: the copy is to be closed. */
  | { readonly type: "listener-closed"; readonly key: string }
  /** All listening sockets were sent: start. */
  | { readonly type: "take-over" }
  /**
   * Be the one that writes the state directory, serves the admin socket and opens the sockets of Gateways. `keys` are those of
   * the sockets that the supervisor keeps (absent from one of an older version).
   */
  | { readonly type: "lead"; readonly keys?: readonly string[] }
  /** Another process has taken over: take no new connection, finish what is under way, at most `deadlineMs`, and end. */
  | { readonly type: "retire"; readonly deadlineMs: number }
  /** A question of the lead; the answer carries the same id. */
  | { readonly type: "ask"; readonly id: number; readonly question: WorkerQuestion }
  /** What the other workers answered to the lead's question. */
  | {
      readonly type: "answers";
      readonly id: number;
      readonly answers: readonly { readonly slot: number; readonly pid: number; readonly answer: unknown }[];
    };
