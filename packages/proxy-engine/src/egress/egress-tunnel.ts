// One tunnel of a workload through an egress gateway: CONNECT HOST:PORT (RFC 9110 section 9.3.6) for TCP, and for TLS of the
// caller itself, whose server name must be the host. Judged before it opens, and again whenever policies change.

import type { Timer } from "@ripstop/core";
import type { RequestHead, ServerStream } from "@ripstop/http";
import { Protocol } from "@ripstop/model";
import { parseAuthority } from "../2-identify/authority.ts";
import { OutboundConnection } from "../3-detect/outbound-connection.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { noSuchPort } from "../7-connect/outbound-refusals.ts";
import { TunnelRequest } from "../7-connect/tunnel-request.ts";
import { configNotReceived, missingHost, tooManyWaiting, tunnelRefused, wrongDestination } from "../errors.ts";
import type { EgressCaller } from "./egress-caller.ts";

const CONFIG_WAIT_MS = 5_000;

/** One tunnel. Make it, then call `start`. */
export class EgressTunnel extends TunnelRequest implements HostWaiter {
  readonly #caller: EgressCaller;
  #host: HostEntry | undefined = undefined;
  #name = "";
  #timer: Timer | undefined = undefined;

  constructor(caller: EgressCaller, stream: ServerStream, head: RequestHead) {
    const { conn, context, peer } = caller.parts;
    super({ engine: context.engine, peer, stream, conn }, head);
    this.#caller = caller;
  }

  /** Judges, then finds out where it goes. */
  start(): void {
    const target = parseAuthority(this.request.authority);
    const { port, parts } = this.#caller;
    if (target === undefined || target.port === 0) {
      this.refuse(refusal(missingHost, "CONNECT needs HOST:PORT"));
      return;
    }
    this.#name = target.host;
    if (target.port !== port) {
      this.refuse(refusal(wrongDestination, `the connection is for port ${port}, the tunnel for ${target.port}`));
      return;
    }
    const refused = this.#caller.judgeTunnel(target.host) ?? this.#caller.admit();
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    const { hosts, engine } = parts.context;
    const host = hosts.lookup(target.host);
    this.#host = host;
    if (host === undefined) this.refuse(refusal(tooManyWaiting, "too many host names are in use"));
    else if (host.ready) this.onHostReady(host);
    else if (hosts.wait(host, this)) {
      this.#timer = engine.clock.after(CONFIG_WAIT_MS, () =>
        this.refuse(
          refusal(configNotReceived, `the config of ${target.host} did not arrive within ${CONFIG_WAIT_MS} ms`),
        ),
      );
    } else this.refuse(refusal(tooManyWaiting, `too many requests wait for the config of ${target.host}`));
  }

  onHostReady({ host, frontend }: HostEntry): void {
    this.#timer?.clear();
    if (this.over) return;
    const { port, parts } = this.#caller;
    const declared = frontend?.cluster.port(port);
    // Policies may have changed while the config came.
    const refused =
      this.#caller.judgeTunnel(host) ??
      (frontend === undefined
        ? parts.context.egress.check({ host, port }, "tcp")
        : declared === undefined
          ? noSuchPort(frontend, port)
          : declared.protocol !== Protocol.TCP && declared.protocol !== Protocol.TLS
            ? refusal(tunnelRefused, `port ${port} of ${host} is declared as HTTP`)
            : undefined);
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    this.open(() => {
      this.#caller.noteSeen(host, "tcp", false);
      new OutboundConnection(parts.context, this.client, {
        host,
        port,
        entered: {
          edge: this.#caller.inboundEdge("tcp"),
          workload: parts.workload.id,
          tlsVersion: parts.peer.tlsVersion,
          recheck: () => this.#caller.judgeTunnel(host) === undefined,
        },
      });
    });
  }

  protected override refuse(refused: Refusal): void {
    if (this.over) return;
    const denied = refused.kind.status === 403;
    this.#caller.inboundEdge("tcp").recordRefused(denied);
    if (this.#name !== "") this.#caller.noteSeen(this.#name, "tcp", denied);
    super.refuse(refused);
  }

  protected stop(): void {
    this.#timer?.clear();
    if (this.#host !== undefined) this.#caller.parts.context.hosts.cancelWait(this.#host, this);
  }
}
