// The API's routes for looking: graph, tap, info, health, metrics.

import type { ControlInfo } from "@ripstop/model";
import type { MetricRegistry } from "@ripstop/telemetry";

import { badRequest } from "../errors.ts";
import type { MeshObservation } from "../replicas/mesh-observation.ts";
import type { MeshTaps } from "../replicas/mesh-tap.ts";
import type { TapHub } from "../telemetry/tap-hub.ts";
import { answer, answerJson } from "./http-answer.ts";
import type { Call, Route } from "./router.ts";
import { answerTap, readTapFilter } from "./tap-answer.ts";

/** What the routes need. */
export interface ObserveRoutesOptions {
  /** What is seen of the whole mesh. */
  readonly observation: MeshObservation;
  readonly taps: MeshTaps;
  /** Of this control plane. */
  readonly ownTaps: TapHub;
  readonly metrics: MetricRegistry;
  info(): ControlInfo;
  /** Brings gauges up to date before they are read. */
  beforeMetrics(): void;
}

/** Routes for looking. */
export function observeRoutes(options: ObserveRoutesOptions): readonly Route[] {
  const { observation, metrics } = options;
  return [
    {
      method: "GET",
      path: "/v1/graph",
      async handler({ response, query }) {
        answerJson(response, 200, await observation.graph(isHere(query)));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/egress",
      async handler({ response, query }) {
        answerJson(response, 200, await observation.egress(isHere(query)));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/mirrors",
      async handler({ response, query }) {
        const isTogether = query.get("together") === "true";
        answerJson(response, 200, await observation.mirrors(isHere(query), isTogether));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/events",
      async handler({ response, query }) {
        const after = query.get("after") ?? "0";
        if (!/^[0-9]{1,15}$/.test(after)) {
          return { kind: badRequest, message: `after is ${JSON.stringify(after)}; it must be the number of an event` };
        }
        answerJson(response, 200, await observation.events(isHere(query), Number(after)));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/info",
      async handler({ response }) {
        answerJson(response, 200, options.info());
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/healthz",
      async handler({ response }) {
        answer(response, 200, { type: "text/plain; charset=utf-8", body: "ok\n" });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/metrics",
      async handler({ response }) {
        options.beforeMetrics();
        answer(response, 200, { type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.render() });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/tap",
      async handler({ response, query }) {
        const filter = readTapFilter(query);
        if (!filter.ok) return filter.error;
        const source = isHere(query) ? options.ownTaps : options.taps;
        return answerTap(response, { source, filter: filter.value, notices: query.get("notices") === "true" });
      },
    },
  ];
}

/** About this control plane alone. */
export function isHere(query: Call["query"]): boolean {
  return query.get("here") === "true";
}
