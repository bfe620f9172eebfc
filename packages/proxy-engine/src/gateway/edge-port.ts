// One port of a Gateway with the listeners that share it: which of them a connection or request is for.

import { GatewayListener_Kind, ClientValidation_Mode, type GatewayListener } from "@ripstop/model";
import { EdgeTerminator } from "@ripstop/net";
import type { RipstopError } from "@ripstop/core";
import { hostnameFit } from "@ripstop/routing";
import type { AttachedRoutes } from "./route-table.ts";

/** A listener in force. */
export interface EdgeListener {
  readonly config: GatewayListener;
  readonly routes: AttachedRoutes;
  /** Ends its TLS; undefined for plain listeners, for pass-through, and for one whose certificates cannot be used. */
  readonly terminator: EdgeTerminator | undefined;
}

/** What connections to a port begin with: TLS of clients outside, plain HTTP, plain bytes, or mutual TLS of workloads. */
export type PortFamily = "tls" | "http" | "tcp" | "mesh";

/** What the listeners of a port begin with; undefined for kinds that carry no traffic. */
export function familyOf(kind: GatewayListener_Kind): PortFamily | undefined {
  switch (kind) {
    case GatewayListener_Kind.HTTPS:
    case GatewayListener_Kind.TLS_TERMINATE:
    case GatewayListener_Kind.TLS_PASSTHROUGH:
      return "tls";
    case GatewayListener_Kind.HTTP:
      return "http";
    case GatewayListener_Kind.TCP:
      return "tcp";
    case GatewayListener_Kind.EGRESS:
      return "mesh";
    case GatewayListener_Kind.UNSPECIFIED:
    case GatewayListener_Kind.UDP:
    case GatewayListener_Kind.UNRECOGNIZED:
      return undefined;
  }
}

/** Ports as connections see them: the listeners may change while connections are open. */
export class EdgePort {
  readonly port: number;
  readonly family: PortFamily;
  #listeners: readonly EdgeListener[] = [];

  constructor(port: number, family: PortFamily) {
    this.port = port;
    this.family = family;
  }

  get listeners(): readonly EdgeListener[] {
    return this.#listeners;
  }

  /** Takes other listeners; terminators whose settings are the same stay, with the sessions that clients may resume. */
  update(
    configs: readonly GatewayListener[],
    routesOf: (listener: string) => AttachedRoutes,
    onUnusable: (listener: string, error: RipstopError) => void,
  ): void {
    const before = this.#listeners;
    this.#listeners = configs.map((config) => {
      const routes = routesOf(config.name);
      const known = before.find((listener) => listener.config.name === config.name);
      if (known !== undefined && tlsSettings(known.config) === tlsSettings(config))
        return { config, routes, terminator: known.terminator };
      const terminator = terminatorOf(config);
      if (terminator === undefined || terminator.ok) return { config, routes, terminator: terminator?.value };
      onUnusable(config.name, terminator.error);
      return { config, routes, terminator: undefined };
    });
  }

  /** The listener with the most specific hostname that fits; only its routes count (Gateway API listener isolation). */
  listenerFor(host: string): EdgeListener | undefined {
    let best: EdgeListener | undefined;
    let bestFit = 0;
    for (const listener of this.#listeners) {
      const fit = hostnameFit(listener.config.hostname, host);
      if (fit > bestFit) {
        best = listener;
        bestFit = fit;
      }
    }
    return best;
  }

  /** The listener of that name, as it is now. */
  named(name: string): EdgeListener | undefined {
    return this.#listeners.find(({ config }) => config.name === name);
  }
}

function tlsSettings({ kind, certificates, clientValidation }: GatewayListener): string {
  return JSON.stringify([kind, certificates, clientValidation]);
}

function terminatorOf({
  kind,
  certificates,
  clientValidation,
}: GatewayListener): ReturnType<typeof EdgeTerminator.create> | undefined {
  if (kind !== GatewayListener_Kind.HTTPS && kind !== GatewayListener_Kind.TLS_TERMINATE) return undefined;
  const alpn = kind === GatewayListener_Kind.HTTPS ? ["h2", "http/1.1"] : [];
  if (clientValidation === undefined) return EdgeTerminator.create({ certificates, alpn });
  const required = clientValidation.mode !== ClientValidation_Mode.ALLOW_INSECURE_FALLBACK;
  return EdgeTerminator.create({ certificates, alpn, clients: { rootsPem: clientValidation.rootsPem, required } });
}
