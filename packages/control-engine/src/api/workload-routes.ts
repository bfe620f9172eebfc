// The API's routes for workloads: registration, heartbeat, SVIDs, leave, the table.

import type { Authority, IssueRefusal } from "@ripstop/identity/authority";
import type {
  RegisterRequest,
  RegisterResponse,
  SvidRequest,
  SvidResponse,
  WorkloadStatus,
  WorkloadView,
} from "@ripstop/model";

import { csrRefused } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { Registry } from "../registry/registry.ts";
import type { Collector } from "../telemetry/collector.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { registerRequest, svidRequest, workloadStatus } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface WorkloadRoutesOptions {
  readonly registry: Registry;
  readonly authority: Authority;
  readonly collector: Collector;
  readonly controlIdentity: string;
  /** "HOST:PORT" of each stream endpoint. */
  controlAddresses(): readonly string[];
  isConnected(proxyId: string): boolean;
  /** Hears of every workload that may not join, "NAMESPACE/SERVICE" and why. */
  onJoinRefused(who: string, failure: Failure): void;
}

const MAX_BODY_BYTES = 256 * 1024;

/** Routes for workloads. */
export function workloadRoutes(options: WorkloadRoutesOptions): readonly Route[] {
  const { registry, authority } = options;
  return [
    {
      method: "POST",
      path: "/v1/workloads",
      async handler({ request, response }) {
        const body = await readJson<RegisterRequest>(request, registerRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const named = registry.name(body.value);
        if (!named.ok) {
          options.onJoinRefused(`${body.value.namespace}/${body.value.service}`, named.error);
          return named.error;
        }
        const issued = await authority.issue(body.value.csrPem, named.value.spiffeId);
        if (!issued.ok) return refused(issued.error);
        const { notAfterMs, chainPem } = issued.value;
        const workload = await registry.register(body.value, { ...named.value, svidNotAfterMs: notAfterMs });
        answerJson(response, 200, {
          workloadId: workload.id,
          spiffeId: workload.spiffeId,
          trustDomain: authority.trustDomain,
          svidChainPem: chainPem,
          bundlePem: authority.bundle().pem,
          controlAddresses: options.controlAddresses(),
          controlIdentity: options.controlIdentity,
          leaseMs: registry.leaseMs,
        } satisfies RegisterResponse);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/workloads",
      async handler({ response }) {
        answerJson(response, 200, { workloads: registry.list().map((workload) => view(workload, options)) });
        return undefined;
      },
    },
    {
      method: "PUT",
      path: "/v1/workloads/:namespace/:instance",
      async handler({ request, response, params }) {
        const body = await readJson<WorkloadStatus>(request, workloadStatus, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const renewed = await registry.heartbeat(idOf(params), body.value);
        if (!renewed.ok) return renewed.error;
        answerJson(response, 200, renewed.value);
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/workloads/:namespace/:instance",
      async handler({ response, params }) {
        const left = await registry.leave(idOf(params));
        if (!left.ok) return left.error;
        answerJson(response, 200, {});
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/workloads/:namespace/:instance/svid",
      async handler({ request, response, params }) {
        const body = await readJson<SvidRequest>(request, svidRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const id = idOf(params);
        const workload = registry.get(id);
        // `renewed` knows how to say that a workload is not there.
        if (workload === undefined) {
          const unknown = await registry.renewed(id, 0);
          return unknown.ok ? undefined : unknown.error;
        }
        const issued = await authority.issue(body.value.csrPem, workload.spiffeId);
        if (!issued.ok) return refused(issued.error);
        const recorded = await registry.renewed(id, issued.value.notAfterMs);
        if (!recorded.ok) return recorded.error;
        answerJson(response, 200, {
          svidChainPem: issued.value.chainPem,
          bundlePem: authority.bundle().pem,
          notAfterMs: issued.value.notAfterMs,
        } satisfies SvidResponse);
        return undefined;
      },
    },
  ];
}

function idOf({ namespace = "", instance = "" }: Readonly<Record<string, string>>): string {
  return `${namespace}/${instance}`;
}

function refused({ code, message }: IssueRefusal): Failure {
  return { kind: csrRefused, message: `${code}: ${message}` };
}

function view(workload: RegisteredWorkload, options: WorkloadRoutesOptions): WorkloadView {
  const traffic = options.collector.workload(workload.id);
  return {
    id: workload.id,
    service: workload.service,
    namespace: workload.namespace,
    version: workload.labels["version"] ?? "",
    spiffeId: workload.spiffeId,
    labels: workload.labels,
    applicationAddress: workload.ports[0]?.applicationAddress ?? "",
    inboundAddress: workload.inboundAddress,
    ready: workload.ready,
    proxyConnected: options.isConnected(workload.id),
    mutualTls: traffic.mutualTls,
    requests: traffic.requests,
    proxyResidentBytes: traffic.residentBytes,
    proxyPid: traffic.pid,
    svidNotAfterMs: workload.svidNotAfterMs,
  };
}
