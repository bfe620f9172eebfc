// The section of proxies: connected, and with everything acknowledged?

import { parseWorkerStreamId, type ProxyList, type WorkloadView } from "@ripstop/model";
import { unknownLines } from "../../output/unknown-replicas.ts";
import { fine, problem, warning, type Finding, type Section } from "./finding.ts";

const MAX_NAMED = 10;

/** Compares what is registered with what is connected. */
export function proxySection(workloads: readonly WorkloadView[], { proxies, unknown }: ProxyList): Section {
  const connected = new Set(proxies.map(({ proxyId }) => parseWorkerStreamId(proxyId).proxyId));
  // While one of several control planes does not answer, whoever is away may be there.
  const away =
    unknown === undefined ? workloads.filter(({ id, proxyConnected }) => !proxyConnected && !connected.has(id)) : [];
  const behind = proxies.filter(({ synced }) => !synced);
  const refusing = proxies.filter(({ rejected }) => rejected.length > 0);
  const findings: Finding[] = [
    fine(`${proxies.length - behind.length} of ${proxies.length} connected proxies have acknowledged everything`),
    ...unknownLines(unknown).map((line) =>
      warning(line, "see whether it runs, and can be reached at its join address"),
    ),
    ...away
      .slice(0, MAX_NAMED)
      .map(({ id }) =>
        problem(`the proxy of ${id} is not connected: it works on with its last config`, "look into its log"),
      ),
    ...behind
      .slice(0, MAX_NAMED)
      .map(({ proxyId, pendingMs }) =>
        warning(
          `the proxy of ${proxyId} has not acknowledged the newest config for ${Math.round(pendingMs)} ms`,
          "look again",
        ),
      ),
    ...refusing
      .slice(0, MAX_NAMED)
      .flatMap(({ proxyId, rejected }) =>
        rejected.map(({ type, reason }) =>
          problem(`the proxy of ${proxyId} refused a ${type}: ${reason}`, "correct the resource that it names"),
        ),
      ),
  ];
  return { name: "proxies", findings };
}
