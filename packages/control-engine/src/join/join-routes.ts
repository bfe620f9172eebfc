// Routes of the join listener. What workloads do after they joined is done by the handlers of the API's socket; here is
// decided who may.

import { createHash, X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";

import { err, ok, type Result } from "@ripstop/core";
import { nodeSpiffeId } from "@ripstop/identity";
import type { Authority, IssuedSvid } from "@ripstop/identity/authority";
import type {
  JoinRequest,
  JwtSvidResponse,
  NodeEntries,
  NodeJoinRequest,
  NodeJwtRequest,
  NodeSvidResponse,
  NodeWorkloadRequest,
  RegisterRequest,
  SvidRequest,
  SvidResponse,
  WorkloadSvidRequest,
} from "@ripstop/model";

import { answerJson } from "../api/http-answer.ts";
import { readJson } from "../api/read-body.ts";
import { registerRequest, svidRequest } from "../api/request-schemas.ts";
import type { Call, Handler, Route } from "../api/router.ts";
import { workloadIdentityRoutes, type WorkloadIdentityRoutesOptions } from "../api/workload-identity-routes.ts";
import { registerWorkload, workloadRoutes, type WorkloadRoutesOptions } from "../api/workload-routes.ts";
import { csrRefused, joinOtherIdentity, jwtRefused, notOwnWorkload } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Store } from "../store/store.ts";
import type { Admission, Joiner } from "./admission.ts";
import type { Caller, Callers } from "./caller.ts";
import {
  joinRequest,
  nodeJoinRequest,
  nodeJwtRequest,
  nodeWorkloadRequest,
  workloadSvidRequest,
} from "./join-schemas.ts";
import { entriesOf, type IssuableEntry } from "./node-entries.ts";
import type { NodeRecord, Nodes } from "./nodes.ts";

/** What the routes need. */
export interface JoinRoutesOptions {
  readonly workloads: WorkloadRoutesOptions;
  readonly admission: Admission;
  readonly callers: Callers;
  readonly nodes: Nodes;
  readonly store: Store;
  readonly identities: WorkloadIdentityRoutesOptions;
}

const MAX_BODY_BYTES = 128 * 1024;

/** Routes of the join listener. */
export function joinRoutes(options: JoinRoutesOptions): readonly Route[] {
  const routes = new JoinRoutes(options);
  // Served here too, for the workload's own SVID or its node's.
  const own = workloadRoutes(options.workloads)
    .filter(({ path }) => path.startsWith("/v1/workloads/"))
    .map(({ method, path, handler }): Route => ({ method, path, handler: routes.guarded(handler) }));
  const shared = workloadIdentityRoutes(options.identities).map(({ method, path, handler }): Route => ({
    method,
    path,
    handler: path.startsWith("/v1/workloads/") ? routes.guarded(handler) : routes.identified(handler),
  }));
  return [
    ...own,
    ...shared,
    { method: "POST", path: "/v1/join", handler: routes.limited((call) => routes.join(call)) },
    { method: "POST", path: "/v1/workloads", handler: routes.limited((call) => routes.registerAgain(call)) },
    { method: "POST", path: "/v1/join/node", handler: routes.limited((call) => routes.joinNode(call)) },
    { method: "POST", path: "/v1/nodes/:name/svid", handler: routes.limited((call) => routes.renewNode(call)) },
    { method: "GET", path: "/v1/nodes/:name/entries", handler: (call) => routes.entries(call) },
    { method: "POST", path: "/v1/nodes/:name/svids", handler: (call) => routes.issueForNode(call) },
    { method: "POST", path: "/v1/nodes/:name/jwt-svids", handler: (call) => routes.jwtForNode(call) },
    { method: "POST", path: "/v1/nodes/:name/workloads", handler: (call) => routes.registerForNode(call) },
  ];
}

class JoinRoutes {
  readonly #options: JoinRoutesOptions;
  readonly #authority: Authority;

  constructor(options: JoinRoutesOptions) {
    this.#options = options;
    this.#authority = options.workloads.authority;
  }

  /** Before `handler`: not too often from one address. */
  limited(handler: Handler): Handler {
    return async (call) => this.#options.admission.limit(addressOf(call.request)) ?? (await handler(call));
  }

  /** Before `handler`: the caller is that workload, or the agent of its node. */
  guarded(handler: Handler): Handler {
    return async (call) => {
      const { params, request } = call;
      const caller = this.#identify(request);
      if (!caller.ok) return caller.error;
      const id = `${params["namespace"] ?? ""}/${params["instance"] ?? ""}`;
      const workload = this.#options.workloads.registry.get(id);
      // One that is not there is the handler's to say.
      if (workload !== undefined && workload.spiffeId !== caller.value.spiffeId) {
        const node = this.#nodeOf(caller.value);
        if (node === undefined || workload.node !== node.name) {
          return this.#refuse(request, id, {
            kind: notOwnWorkload,
            message: `${caller.value.spiffeId} is not ${workload.spiffeId}, nor the agent of its node`,
          });
        }
      }
      return handler(call);
    };
  }

  /** Before `handler`: the caller is somebody of the mesh. */
  identified(handler: Handler): Handler {
    return async (call) => {
      const caller = this.#identify(call.request);
      return caller.ok ? handler(call) : caller.error;
    };
  }

  async join({ request, response }: Call): Promise<Failure | undefined> {
    const body = await readJson<JoinRequest>(request, joinRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const { evidence, timeMs, registration } = body.value;
    const workload = remote(registration);
    const named = this.#options.workloads.registry.name(workload);
    if (!named.ok) return named.error;
    const joiner: Joiner = {
      address: addressOf(request),
      evidence,
      timeMs,
      wanted: {
        kind: "workload",
        namespace: workload.namespace,
        serviceAccount: workload.serviceAccount ?? workload.service,
      },
      spiffeId: named.value.spiffeId,
      csrPem: workload.csrPem,
    };
    const admitted = await this.#options.admission.admit(joiner);
    if (!admitted.ok) return admitted.error;
    const { ttlMs } = admitted.value;
    const registered = await registerWorkload(this.#options.workloads, workload, ttlMs === undefined ? {} : { ttlMs });
    if (!registered.ok) {
      await admitted.value.release();
      return registered.error;
    }
    this.#options.admission.joined(joiner, admitted.value.method);
    answerJson(response, 200, registered.value);
    return undefined;
  }

  async registerAgain({ request, response }: Call): Promise<Failure | undefined> {
    const caller = this.#identify(request);
    if (!caller.ok) return caller.error;
    const body = await readJson<RegisterRequest>(request, registerRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const workload = remote(body.value);
    const named = this.#options.workloads.registry.name(workload);
    if (!named.ok) return named.error;
    if (named.value.spiffeId !== caller.value.spiffeId) {
      return this.#refuse(request, named.value.spiffeId, {
        kind: notOwnWorkload,
        message: `${caller.value.spiffeId} is not ${named.value.spiffeId}`,
      });
    }
    const registered = await registerWorkload(this.#options.workloads, workload);
    if (!registered.ok) return registered.error;
    answerJson(response, 200, registered.value);
    return undefined;
  }

  async joinNode({ request, response }: Call): Promise<Failure | undefined> {
    const body = await readJson<NodeJoinRequest>(request, nodeJoinRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const { evidence, timeMs, name, csrPem } = body.value;
    const spiffeId = nodeSpiffeId(this.#authority.trustDomain, name);
    const joiner: Joiner = {
      address: addressOf(request),
      evidence,
      timeMs,
      wanted: { kind: "node", name },
      spiffeId,
      csrPem,
    };
    const admitted = await this.#options.admission.admit(joiner);
    if (!admitted.ok) return admitted.error;
    const issued = await this.#issue(csrPem, spiffeId, undefined);
    if (!issued.ok) {
      await admitted.value.release();
      return issued.error;
    }
    const record = await this.#options.nodes.joined(name, admitted.value.keySha256, admitted.value.method);
    this.#options.admission.joined(joiner, admitted.value.method);
    answerJson(response, 200, this.#nodeAnswer(record, issued.value));
    return undefined;
  }

  async renewNode({ request, response, params }: Call): Promise<Failure | undefined> {
    const name = params["name"] ?? "";
    const proof = this.#options.callers.provenKey(request);
    const record = this.#options.nodes.prove(name, proof ?? "");
    if (!record.ok || proof === undefined) {
      return record.ok ? undefined : this.#refuse(request, `node ${name}`, record.error);
    }
    const body = await readJson<SvidRequest>(request, svidRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const spiffeId = nodeSpiffeId(this.#authority.trustDomain, name);
    const issued = await this.#issue(body.value.csrPem, spiffeId, undefined);
    if (!issued.ok) return this.#refuse(request, `node ${name}`, issued.error);
    const renewed = await this.#options.nodes.renewed(record.value, proof, keyHashOf(issued.value.chainPem));
    answerJson(response, 200, this.#nodeAnswer(renewed, issued.value));
    return undefined;
  }

  async entries({ request, response, params }: Call): Promise<Failure | undefined> {
    const node = this.#node(request, params["name"] ?? "");
    if (!node.ok) return node.error;
    const { replicas } = this.#options.workloads;
    const entries = entriesOf(this.#options.store, this.#authority.trustDomain, node.value.name);
    answerJson(response, 200, {
      entries: entries.map(({ name, namespace, serviceAccount, spiffeId, process }) => ({
        name,
        namespace,
        serviceAccount,
        spiffeId,
        process,
      })),
      bundlePem: this.#authority.bundle().pem,
      bundles: this.#options.identities.bundles.view.bundles,
      ...(replicas === undefined ? {} : { replicas: replicas.addresses() }),
    } satisfies NodeEntries);
    return undefined;
  }

  async issueForNode({ request, response, params }: Call): Promise<Failure | undefined> {
    const node = this.#node(request, params["name"] ?? "");
    if (!node.ok) return node.error;
    const body = await readJson<WorkloadSvidRequest>(request, workloadSvidRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const entry = this.#entry(node.value, body.value.entry);
    if (!entry.ok) return this.#refuse(request, `node ${node.value.name}`, entry.error);
    const issued = await this.#issue(body.value.csrPem, entry.value.spiffeId, entry.value.ttlMs);
    if (!issued.ok) return this.#refuse(request, entry.value.spiffeId, issued.error);
    answerJson(response, 200, this.#svidAnswer(issued.value));
    return undefined;
  }

  async jwtForNode({ request, response, params }: Call): Promise<Failure | undefined> {
    const node = this.#node(request, params["name"] ?? "");
    if (!node.ok) return node.error;
    const body = await readJson<NodeJwtRequest>(request, nodeJwtRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const entry = this.#entry(node.value, body.value.entry);
    if (!entry.ok) return this.#refuse(request, `node ${node.value.name}`, entry.error);
    const { audience, ttlMs } = body.value;
    const issued = await this.#options.identities.jwt.issue(entry.value.spiffeId, audience, ttlMs);
    if (!issued.ok) return { kind: jwtRefused, message: `${issued.error.code}: ${issued.error.message}` };
    answerJson(response, 200, issued.value satisfies JwtSvidResponse);
    return undefined;
  }

  async registerForNode({ request, response, params }: Call): Promise<Failure | undefined> {
    const node = this.#node(request, params["name"] ?? "");
    if (!node.ok) return node.error;
    const body = await readJson<NodeWorkloadRequest>(request, nodeWorkloadRequest, MAX_BODY_BYTES);
    if (!body.ok) return body.error;
    const entry = this.#entry(node.value, body.value.entry);
    if (!entry.ok) return this.#refuse(request, `node ${node.value.name}`, entry.error);
    const workload = remote(body.value.registration);
    const { ttlMs, namespace, serviceAccount } = entry.value;
    if (workload.namespace !== namespace || (workload.serviceAccount ?? workload.service) !== serviceAccount) {
      return this.#refuse(request, `node ${node.value.name}`, {
        kind: joinOtherIdentity,
        message: `${entry.value.name} is for ${namespace}/${serviceAccount}`,
      });
    }
    const registered = await registerWorkload(this.#options.workloads, workload, {
      node: node.value.name,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    });
    if (!registered.ok) return registered.error;
    answerJson(response, 200, registered.value);
    return undefined;
  }

  /** The node that calls, with a valid SVID and a key that is still its own. */
  #node(request: IncomingMessage, name: string): Result<NodeRecord, Failure> {
    const caller = this.#identify(request);
    if (!caller.ok) return caller;
    const node = this.#nodeOf(caller.value);
    if (node?.name === name) return ok(node);
    const failure = { kind: notOwnWorkload, message: `${caller.value.spiffeId} is not the agent of node ${name}` };
    return err(this.#refuse(request, `node ${name}`, failure));
  }

  #nodeOf({ spiffeId, keySha256 }: Caller): NodeRecord | undefined {
    const prefix = nodeSpiffeId(this.#authority.trustDomain, "");
    if (!spiffeId.startsWith(prefix)) return undefined;
    const proven = this.#options.nodes.prove(spiffeId.slice(prefix.length), keySha256);
    return proven.ok ? proven.value : undefined;
  }

  #entry(node: NodeRecord, name: string): Result<IssuableEntry, Failure> {
    const entry = entriesOf(this.#options.store, this.#authority.trustDomain, node.name).find(
      (one) => one.name === name,
    );
    if (entry !== undefined) return ok(entry);
    return err({ kind: joinOtherIdentity, message: `no WorkloadIdentity ${name} is for processes of ${node.name}` });
  }

  #identify(request: IncomingMessage): Result<Caller, Failure> {
    const caller = this.#options.callers.identify(request);
    if (!caller.ok) this.#refuse(request, addressOf(request), caller.error);
    return caller;
  }

  async #issue(csrPem: string, spiffeId: string, ttlMs: number | undefined): Promise<Result<IssuedSvid, Failure>> {
    const issued = await this.#authority.issue(csrPem, spiffeId, ttlMs);
    return issued.ok ? issued : err({ kind: csrRefused, message: `${issued.error.code}: ${issued.error.message}` });
  }

  #svidAnswer({ chainPem, notAfterMs }: IssuedSvid): SvidResponse {
    return { svidChainPem: chainPem, bundlePem: this.#authority.bundle().pem, notAfterMs };
  }

  #nodeAnswer(record: NodeRecord, issued: IssuedSvid): NodeSvidResponse {
    return {
      ...this.#svidAnswer(issued),
      name: record.name,
      spiffeId: issued.spiffeId,
      trustDomain: this.#authority.trustDomain,
      proofUntilMs: record.proofUntilMs,
    };
  }

  #refuse(request: IncomingMessage, subject: string, failure: Failure): Failure {
    this.#options.admission.refused(addressOf(request), subject, failure);
    return failure;
  }
}

/** A process id is of another machine here, and says nothing. */
function remote(registration: RegisterRequest): RegisterRequest {
  return { ...registration, pid: 0 };
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? "";
}

function keyHashOf(chainPem: string): string {
  const key = new X509Certificate(chainPem).publicKey.export({ format: "der", type: "spki" });
  return createHash("sha256").update(key).digest("hex");
}
