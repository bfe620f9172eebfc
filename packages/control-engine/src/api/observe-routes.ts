// The API's routes for looking: graph, tap, info, health, metrics.

import type { ControlInfo, telemetry } from "@ripstop/model";
import type { MetricRegistry } from "@ripstop/telemetry";

import { badRequest, tooManyTaps } from "../errors.ts";
import type { EgressLog } from "../egress/egress-log.ts";
import type { EventLog } from "../events/event-log.ts";
import type { MirrorLog } from "../mirror/mirror-log.ts";
import type { Collector } from "../telemetry/collector.ts";
import { answer, answerJson, beginStream } from "./http-answer.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface ObserveRoutesOptions {
  readonly collector: Collector;
  readonly egress: EgressLog;
  readonly mirrors: MirrorLog;
  readonly metrics: MetricRegistry;
  readonly events: EventLog;
  info(): ControlInfo;
  /** Brings gauges up to date before they are read. */
  beforeMetrics(): void;
}

/** Routes for looking. */
export function observeRoutes(options: ObserveRoutesOptions): readonly Route[] {
  const { collector, metrics } = options;
  return [
    {
      method: "GET",
      path: "/v1/graph",
      async handler({ response }) {
        answerJson(response, 200, collector.graph());
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/egress",
      async handler({ response }) {
        answerJson(response, 200, { seen: options.egress.list() });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/mirrors",
      async handler({ response }) {
        answerJson(response, 200, { mirrors: options.mirrors.list() });
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
        answerJson(response, 200, { events: options.events.list(Number(after)) });
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
        const minStatus = query.get("minStatus");
        if (minStatus !== null && !/^[0-9]{1,3}$/.test(minStatus)) {
          return {
            kind: badRequest,
            message: `minStatus is ${JSON.stringify(minStatus)}; it must be a status such as 500`,
          };
        }
        const given = (name: string): string | undefined => query.get(name) ?? undefined;
        const tap = collector.taps.open({
          filter: {
            source: given("source"),
            destination: given("destination"),
            path: given("path"),
            minStatus: minStatus === null ? undefined : Number(minStatus),
          },
          onEvent: (event: telemetry.TapEvent) => response.write(`${JSON.stringify(event)}\n`),
        });
        if (tap === undefined) return { kind: tooManyTaps, message: `${collector.taps.watchers} taps are open` };
        beginStream(response, "application/x-ndjson");
        response.on("drain", () => tap.resume());
        response.on("close", () => tap.close());
        return undefined;
      },
    },
  ];
}
