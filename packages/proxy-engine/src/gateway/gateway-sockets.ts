// The listening sockets of one Gateway. Of the processes of a proxy the lead opens them; the others wait for copies of the
// same sockets, so that all accept from one queue.

import type { Clock, Result, RipstopError, Timer } from "@ripstop/core";
import type { ClosedGatewayPort } from "@ripstop/model";
import { ADDRESS_FORBIDDEN, type Listener, type ListeningSocket } from "@ripstop/net";
import type { Logger } from "@ripstop/telemetry";
import { formatAuthority } from "../2-identify/authority.ts";
import { gatewayPortClosed } from "../errors.ts";
import type { EdgePort } from "./edge-port.ts";

/** How processes share the sockets of Gateways. Keys are "WORKLOAD gateway NAMESPACE/NAME HOST:PORT". */
export interface SocketSharing {
  /** Sockets of the processes before or beside this one, by key. */
  readonly sockets: ReadonlyMap<string, ListeningSocket>;
  /** Another process opens them, until `GatewaySockets.lead`. */
  readonly follows: boolean;
  /** This process, which does not follow, opened a socket, or (undefined) does not want it any more. */
  onSocket(key: string, socket: ListeningSocket | undefined): void;
  /** This process, which follows, wants a socket. */
  onWanted(key: string): void;
  /** `closedPorts` may be others now. */
  onClosedPorts(): void;
}

/** What the sockets of one Gateway need. */
export interface GatewaySocketsOptions {
  /** "NAMESPACE/NAME". */
  readonly gateway: string;
  readonly workloadId: string;
  readonly portOffset: number;
  readonly sharing: SocketSharing;
  readonly clock: Clock;
  readonly log: Logger;
  /** Listens there, or on the socket of another process. */
  open(edge: EdgePort, where: SocketPlace): Promise<Result<Listener, RipstopError>>;
  /** A socket was opened. */
  onOpened(): void;
}

/** Where to listen. */
export interface SocketPlace {
  readonly host: string;
  readonly port: number;
  readonly socket?: ListeningSocket;
}

/** One that the Gateway wants. */
interface WantedSocket {
  /** "HOST:PORT" with the Gateway's port. */
  readonly address: string;
  readonly host: string;
  readonly edge: EdgePort;
  /** Undefined while it is being opened, and until it can be. */
  listener: Listener | undefined;
  opening: boolean;
  wanted: boolean;
  retry: Timer | undefined;
  /** Why it could not be opened the last time; said once. "" when it is open, or was not tried yet. */
  said: string;
}

const RETRY_MS = 2_000;
const MAX_PORT = 65_535;
const MAX_CAUSE = 500;

/** Closes a copy of a socket that nobody here listens on. */
export function closeSocket(socket: ListeningSocket): void {
  if ("close" in socket) socket.close();
}

/** The sockets of one Gateway. */
export class GatewaySockets {
  readonly #options: GatewaySocketsOptions;
  readonly #prefix: string;
  readonly #wanted = new Map<string, WantedSocket>();
  /** Of other processes, not used yet; undefined: open elsewhere, and no copy is here. By key. */
  readonly #spare: Map<string, ListeningSocket | undefined>;
  /** Those of them that still have connections, and maybe more. */
  #closedListeners: readonly Listener[] = [];
  #follows: boolean;
  /** What the Gateway wants is known: what is spare is not wanted. */
  #settled = false;
  #stopped = false;

  constructor(options: GatewaySocketsOptions) {
    this.#options = options;
    this.#prefix = `${options.workloadId} gateway ${options.gateway} `;
    this.#follows = options.sharing.follows;
    this.#spare = new Map([...options.sharing.sockets].filter(([key]) => this.owns(key)));
  }

  /** Whether a key is of this Gateway. */
  owns(key: string): boolean {
    return key.startsWith(this.#prefix);
  }

  /** Addresses that it listens on now, "HOST:PORT". */
  get addresses(): readonly string[] {
    return [...this.#wanted.values()].flatMap(({ listener }) => (listener === undefined ? [] : [listener.address]));
  }

  /** Where it cannot listen now. */
  get closedPorts(): readonly ClosedGatewayPort[] {
    const { gateway: fullName } = this.#options;
    const gateway = fullName.slice(fullName.indexOf("/") + 1);
    return [...this.#wanted.values()].flatMap(({ host, edge, said }) =>
      said === "" ? [] : [{ gateway, address: host, port: edge.port, cause: said.slice(0, MAX_CAUSE) }],
    );
  }

  /** Live connections that they accepted, those that are closed by now included. */
  get connections(): number {
    let count = 0;
    for (const { listener } of this.#wanted.values()) count += listener?.connections ?? 0;
    for (const { connections } of this.#closedListeners) count += connections;
    return count;
  }

  /** Wants a port on exactly these hosts; on none: it is not wanted any more. */
  want(edge: EdgePort, hosts: readonly string[]): void {
    const addresses = new Set(hosts.map((host) => formatAuthority(host, edge.port)));
    for (const socket of [...this.#wanted.values()])
      if (socket.edge === edge && !addresses.has(socket.address)) this.#forget(socket);
    for (const host of hosts) this.#add(host, edge);
  }

  /** All that the Gateway wants was said: lets go of what else other processes left. */
  settle(): void {
    this.#settled = true;
    for (const [key, socket] of this.#spare) {
      this.#spare.delete(key);
      if (socket !== undefined) closeSocket(socket);
      if (!this.#follows) this.#options.sharing.onSocket(key, undefined);
    }
  }

  /** From now on this process opens what is missing. `keys` are those of the sockets that are open in any process. */
  lead(keys: readonly string[]): void {
    if (!this.#follows || this.#stopped) return;
    this.#follows = false;
    for (const key of keys)
      if (this.owns(key) && !this.#wanted.has(key.slice(this.#prefix.length)) && !this.#spare.has(key))
        this.#spare.set(key, undefined);
    for (const socket of this.#wanted.values()) this.#begin(socket);
    if (this.#settled) this.settle();
  }

  /** Another process opened a socket, or (undefined) closed it. */
  take(key: string, copy: ListeningSocket | undefined): void {
    const socket = this.#wanted.get(key.slice(this.#prefix.length));
    if (copy === undefined) this.#closedElsewhere(key, socket);
    else if (this.#stopped) closeSocket(copy);
    else if (socket !== undefined && socket.listener === undefined && !socket.opening) void this.#open(socket, copy);
    else if (socket === undefined && !this.#settled) {
      const known = this.#spare.get(key);
      if (known !== undefined) closeSocket(known);
      this.#spare.set(key, copy);
    } else closeSocket(copy);
  }

  /** Closes all of them; connections go on. */
  stop(): void {
    this.#stopped = true;
    for (const socket of [...this.#wanted.values()]) this.#close(socket);
  }

  #add(host: string, edge: EdgePort): void {
    const address = formatAuthority(host, edge.port);
    if (this.#stopped || this.#wanted.has(address)) return;
    this.#addAs({ host, edge, address });
  }

  #addAs({ host, edge, address }: Pick<WantedSocket, "host" | "edge" | "address">): void {
    const state = { listener: undefined, opening: false, wanted: true, retry: undefined, said: "" };
    const socket: WantedSocket = { address, host, edge, ...state };
    this.#wanted.set(address, socket);
    const key = this.#prefix + address;
    const spare = this.#spare.get(key);
    this.#spare.delete(key);
    if (spare === undefined) this.#begin(socket);
    else void this.#open(socket, spare);
  }

  /** Opens it, or asks for it. */
  #begin(socket: WantedSocket): void {
    if (socket.listener !== undefined || socket.opening) return;
    if (this.#follows) this.#options.sharing.onWanted(this.#prefix + socket.address);
    else void this.#open(socket);
  }

  /** The lead closed it: it comes again when the lead opens it again. */
  #closedElsewhere(key: string, socket: WantedSocket | undefined): void {
    if (!this.#follows) return;
    const spare = this.#spare.get(key);
    this.#spare.delete(key);
    if (spare !== undefined) closeSocket(spare);
    if (socket === undefined || (socket.listener === undefined && !socket.opening)) return;
    this.#close(socket);
    if (!this.#stopped) this.#addAs(socket);
  }

  async #open(socket: WantedSocket, copy?: ListeningSocket): Promise<void> {
    const { gateway, log, portOffset, sharing } = this.#options;
    const { host, edge } = socket;
    const port = edge.port + portOffset;
    socket.retry?.clear();
    socket.opening = true;
    const opened =
      port > MAX_PORT
        ? undefined
        : await this.#options.open(edge, copy === undefined ? { host, port } : { host, port, socket: copy });
    socket.opening = false;
    if (!socket.wanted) {
      if (opened?.ok === true) opened.value.close();
      return;
    }
    if (opened?.ok === true) {
      socket.listener = opened.value;
      const wasClosed = socket.said !== "";
      socket.said = "";
      if (wasClosed) sharing.onClosedPorts();
      if (copy === undefined) sharing.onSocket(this.#prefix + socket.address, opened.value.socket);
      log.info("gateway listening", { gateway, address: opened.value.address, port: edge.port });
      this.#options.onOpened();
      return;
    }
    this.#sayClosed(socket, opened?.error);
    socket.retry = this.#options.clock.after(RETRY_MS, () => this.#begin(socket));
  }

  /** `error` undefined: the port is too high. */
  #sayClosed(socket: WantedSocket, error: RipstopError | undefined): void {
    const { gateway, log, portOffset, sharing } = this.#options;
    const { host, edge } = socket;
    const cause = error === undefined ? `port ${edge.port} plus the offset is above ${MAX_PORT}` : error.message;
    if (socket.said === cause) return;
    socket.said = cause;
    const { code, title, remedy } = gatewayPortClosed;
    const ownRemedy = error === undefined || error.kind === ADDRESS_FORBIDDEN;
    log.error(title, {
      code,
      gateway,
      address: formatAuthority(host, edge.port + portOffset),
      cause,
      remedy: ownRemedy ? remedy : error.kind.remedy,
    });
    sharing.onClosedPorts();
  }

  /** The Gateway does not want it any more. */
  #forget(socket: WantedSocket): void {
    this.#close(socket);
    if (!this.#follows) this.#options.sharing.onSocket(this.#prefix + socket.address, undefined);
    if (socket.said !== "") this.#options.sharing.onClosedPorts();
  }

  #close(socket: WantedSocket): void {
    socket.wanted = false;
    socket.retry?.clear();
    const { listener } = socket;
    if (listener !== undefined) {
      listener.close();
      this.#closedListeners = [...this.#closedListeners.filter(({ connections }) => connections > 0), listener];
    }
    socket.listener = undefined;
    this.#wanted.delete(socket.address);
  }
}
