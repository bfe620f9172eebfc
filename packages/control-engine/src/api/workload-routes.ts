// The API's routes for workloads: registration, heartbeat, SVIDs, leave, the table.

import { err, ok, type Result } from "@ripstop/core";
import type { Authority, IssuedSvid, IssueRefusal } from "@ripstop/identity/authority";
import type {
  HeartbeatResponse,
  RegisterRequest,
  RegisterResponse,
  ReplicaAddresses,
  SvidRequest,
  SvidResponse,
  WorkloadStatus,
  WorkloadView,
} from "@ripstop/model";

import { csrRefused, identityUnavailable, replicaCutOff } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { RegisteredWorkload, SvidRecord } from "../registry/registered-workload.ts";
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
  /** Whether a workload may renew now because another root signs; says yes to a bounded number a second. */
  mayRenewNow(workload: RegisteredWorkload): boolean;
  readonly collector: Collector;
  readonly controlIdentity: string;
  /** "HOST:PORT" of each stream endpoint. */
  controlAddresses(): readonly string[];
  isConnected(proxyId: string): boolean;
  /** Until when a workload is held down for coming and going, and how often it went; undefined: it is not. */
  heldDown?(workload: RegisteredWorkload): WorkloadView["heldDown"];
  /** Of several control planes: where they are, and for how long the shared store has not answered this one, in ms. */
  readonly replicas?: { addresses(): ReplicaAddresses; cutOffMs(): number };
  /** Hears of every workload that may not join, "NAMESPACE/SERVICE" and why. */
  onJoinRefused(who: string, failure: Failure): void;
}

const MAX_BODY_BYTES = 256 * 1024;
/** How long before its making a certificate begins to be valid. */
const BACKDATE_MS = 5 * 60_000;

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
        const registered = await registerWorkload(options, body.value);
        if (!registered.ok) return registered.error;
        answerJson(response, 200, registered.value);
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
        const cutOff = cutOffFailure(options);
        if (cutOff !== undefined) return cutOff;
        const id = idOf(params);
        const renewed = await registry.heartbeat(id, body.value);
        if (!renewed.ok) return renewed.error;
        const { pem, sequence } = authority.bundle();
        const workload = registry.get(id);
        const { bundleSequence } = body.value;
        answerJson(response, 200, {
          leaseMs: renewed.value.leaseMs,
          ...(bundleSequence === undefined || bundleSequence === sequence ? {} : { bundle: { pem, sequence } }),
          ...(workload !== undefined && options.mayRenewNow(workload) ? { renewNow: true } : {}),
          ...replicasOf(options),
        } satisfies HeartbeatResponse);
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
        const cutOff = cutOffFailure(options);
        if (cutOff !== undefined) return cutOff;
        const id = idOf(params);
        const workload = registry.get(id);
        // `renewed` knows how to say that a workload is not there.
        if (workload === undefined) {
          const unknown = await registry.renewed(id, { svidNotAfterMs: 0 });
          return unknown.ok ? undefined : unknown.error;
        }
        const issued = await authority.issue(body.value.csrPem, workload.spiffeId, workload.svidTtlMs);
        if (!issued.ok) return refused(issued.error);
        const recorded = await registry.renewed(id, recordOf(issued.value));
        if (!recorded.ok) return recorded.error;
        answerJson(response, 200, {
          svidChainPem: issued.value.chainPem,
          ...bundleOf(authority),
          notAfterMs: issued.value.notAfterMs,
        } satisfies SvidResponse);
        return undefined;
      },
    },
  ];
}

/** How a workload is registered beyond its own request. */
export interface RegistrationTerms {
  /** Lifetime of its SVIDs; default: the authority's. */
  readonly ttlMs?: number;
  /** The node whose agent registers it. */
  readonly node?: string;
}

/** Names a workload, issues its first SVID and records it. Whoever calls has made sure that it may be that workload. */
export async function registerWorkload(
  options: WorkloadRoutesOptions,
  request: RegisterRequest,
  terms: RegistrationTerms = {},
): Promise<Result<RegisterResponse, Failure>> {
  const { registry, authority } = options;
  const cutOff = cutOffFailure(options);
  if (cutOff !== undefined) return err(cutOff);
  const named = registry.name(request);
  if (!named.ok) {
    options.onJoinRefused(`${request.namespace}/${request.service}`, named.error);
    return named;
  }
  const issued = await authority.issue(request.csrPem, named.value.spiffeId, terms.ttlMs);
  if (!issued.ok) return err(refused(issued.error));
  const workload = await registry.register(request, { ...named.value, ...recordOf(issued.value), ...terms });
  return ok({
    workloadId: workload.id,
    spiffeId: workload.spiffeId,
    trustDomain: authority.trustDomain,
    svidChainPem: issued.value.chainPem,
    ...bundleOf(authority),
    controlAddresses: options.controlAddresses(),
    controlIdentity: options.controlIdentity,
    leaseMs: registry.leaseMs,
    ...replicasOf(options),
  });
}

function replicasOf({ replicas }: WorkloadRoutesOptions): { readonly replicas?: ReplicaAddresses } {
  return replicas === undefined ? {} : { replicas: replicas.addresses() };
}

/** Who is revoked or gone cannot be known: others take heartbeats and renewals meanwhile. */
function cutOffFailure({ replicas }: WorkloadRoutesOptions): Failure | undefined {
  const ms = replicas?.cutOffMs() ?? 0;
  return ms > 0 ? { kind: replicaCutOff, message: `etcd has not answered for ${Math.round(ms)} ms` } : undefined;
}

function idOf({ namespace = "", instance = "" }: Readonly<Record<string, string>>): string {
  return `${namespace}/${instance}`;
}

/** What the registry keeps of an issued SVID. Its life begins five minutes before it was issued. */
function recordOf({ notAfterMs, notBeforeMs, serialNumber, rootSha256 }: IssuedSvid): SvidRecord {
  return {
    svidNotAfterMs: notAfterMs,
    svidIssuedMs: notBeforeMs + BACKDATE_MS,
    svidSerialNumber: serialNumber,
    rootSha256,
  };
}

function bundleOf(authority: Authority): { readonly bundlePem: string; readonly bundleSequence: number } {
  const { pem, sequence } = authority.bundle();
  return { bundlePem: pem, bundleSequence: sequence };
}

/** A refusal that is no fault of the request is worth asking again. */
const NOT_NOW: ReadonlySet<string> = new Set(["RS2009", "RS2010", "RS2011"]);

function refused({ code, message }: IssueRefusal): Failure {
  return { kind: NOT_NOW.has(code) ? identityUnavailable : csrRefused, message: `${code}: ${message}` };
}

function view(workload: RegisteredWorkload, options: WorkloadRoutesOptions): WorkloadView {
  const traffic = options.collector.workload(workload.id);
  const heldDown = options.heldDown?.(workload);
  return {
    id: workload.id,
    service: workload.service,
    namespace: workload.namespace,
    version: workload.labels["version"] ?? "",
    spiffeId: workload.spiffeId,
    labels: workload.labels,
    annotations: workload.infrastructure?.annotations ?? {},
    applicationAddress: workload.ports[0]?.applicationAddress ?? "",
    inboundAddress: workload.inboundAddress,
    ready: workload.ready,
    proxyConnected: options.isConnected(workload.id),
    mutualTls: traffic.mutualTls,
    requests: traffic.requests,
    proxyResidentBytes: traffic.residentBytes,
    proxyPid: traffic.pid,
    svidNotAfterMs: workload.svidNotAfterMs,
    ...(heldDown === undefined ? {} : { heldDown }),
  };
}
