// Which listeners on one port cannot be told apart (GatewaySpec.listeners, "distinct"; GEP-1713 for ListenerSets).

/** What decides whether listeners can share a port. */
export interface PortClaim {
  readonly port: number;
  readonly protocol: string;
  /** "" for all; lower case. */
  readonly hostname: string;
  /** Listeners of the Gateway itself lose together; of the others the later one loses. */
  readonly isOwn: boolean;
}

/** The reason of the condition Conflicted. */
export type Conflict = "HostnameConflict" | "ProtocolConflict";

/** For each claim, in order of precedence, what it conflicts with, if it loses. */
export function findConflicts(claims: readonly PortClaim[]): readonly (Conflict | undefined)[] {
  const conflicts: (Conflict | undefined)[] = claims.map(() => undefined);
  const byPort = new Map<string, number[]>();
  for (const [index, { port, protocol }] of claims.entries()) {
    const key = `${port}/${protocol === "UDP" ? "udp" : "tcp"}`;
    const earlier = byPort.get(key) ?? [];
    for (const other of earlier) {
      const [a, b] = [claims[other], claims[index]];
      if (a === undefined || b === undefined || (!b.isOwn && conflicts[other] !== undefined && !a.isOwn)) continue;
      const conflict = between(a, b);
      if (conflict === undefined) continue;
      conflicts[index] ??= conflict;
      if (b.isOwn) conflicts[other] ??= conflict;
    }
    byPort.set(key, [...earlier, index]);
  }
  return conflicts;
}

function between(a: PortClaim, b: PortClaim): Conflict | undefined {
  if (layer(a.protocol) !== layer(b.protocol)) return "ProtocolConflict";
  // Nothing but the port tells connections without names apart.
  if (layer(a.protocol) === a.protocol && a.protocol !== "HTTP") return "ProtocolConflict";
  return a.hostname === b.hostname ? "HostnameConflict" : undefined;
}

/** HTTPS and TLS share ports: server names tell them apart. */
function layer(protocol: string): string {
  return protocol === "HTTPS" || protocol === "TLS" ? "by server name" : protocol;
}
