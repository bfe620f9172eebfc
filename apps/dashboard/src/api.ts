// What the page asks of the control plane: GET routes, once a second, and a stream of requests while it is watched.

import type {
  ControlInfo,
  EventPage,
  Graph,
  IdentityList,
  MeshEvent,
  MirrorList,
  MirrorView,
  TapNotice,
  UnknownReplica,
  WorkloadList,
  WorkloadView,
} from "@ripstop/model";

/** One answer to all questions. */
export interface Snapshot {
  readonly info: ControlInfo;
  readonly graph: Graph;
  readonly workloads: readonly WorkloadView[];
  readonly events: readonly MeshEvent[];
  /** Of all callers of a service together. */
  readonly mirrors: readonly MirrorView[];
  /** Control planes whose part is missing in any of it. */
  readonly unknown: readonly UnknownReplica[];
  /** Undefined when the control plane does not tell. */
  readonly identities: IdentityList | undefined;
}

/** One request as a tap shows it: the fields that the page uses. */
export interface TapLine {
  readonly timeUnixMs: number;
  readonly sourceService: string;
  readonly destinationService: string;
  readonly sourceIdentity: string;
  readonly protocol: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly grpcStatus: number;
  readonly latencyUs: number;
  readonly tlsVersion: string;
  readonly errorCode: string;
  readonly errorCause: string;
}

async function getJson<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal, cache: "no-store" });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return (await response.json()) as T;
}

/** Asks for everything that the page shows. Rejects when the control plane does not answer within 5 s. */
export async function fetchSnapshot(): Promise<Snapshot> {
  const signal = AbortSignal.timeout(5000);
  const [info, graph, list, page, comparisons, identities] = await Promise.all([
    getJson<ControlInfo>("./v1/info", signal),
    getJson<Graph>("./v1/graph", signal),
    getJson<WorkloadList>("./v1/workloads", signal),
    getJson<EventPage>("./v1/events", signal),
    getJson<MirrorList>("./v1/mirrors?together=true", signal),
    getJson<IdentityList>("./v1/identity/identities", signal).catch(() => undefined),
  ]);
  const missing = [graph, list, page, comparisons].flatMap(({ unknown = [] }) => unknown);
  return {
    info,
    graph,
    workloads: list.workloads,
    events: page.events,
    mirrors: comparisons.mirrors,
    unknown: [...new Map(missing.map((one) => [one.id, one])).values()],
    identities,
  };
}

/** Calls `onLine` for every request and notice seen until `signal` is aborted or the stream ends. */
export async function streamTap(signal: AbortSignal, onLine: (line: TapLine | TapNotice) => void): Promise<void> {
  const response = await fetch("./v1/tap?notices=true", { signal, cache: "no-store" });
  if (!response.ok || !response.body) throw new Error(`the tap answered ${response.status}`);
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(JSON.parse(line) as TapLine | TapNotice);
  }
}
