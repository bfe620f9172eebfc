// The control plane's API over its join listener: TLS 1.3, the control plane known by its SPIFFE id, this side proven by
// a token or a JWT the first time and by its own SVID from then on.

import type { ClientRequest } from "node:http";
import { Agent, request } from "node:https";
import { TLSSocket, type PeerCertificate } from "node:tls";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { controlSpiffeId, parseSpiffeId } from "@ripstop/identity";
import type {
  JoinEvidence,
  JwtSvidResponse,
  NodeEntries,
  NodeJwtRequest,
  NodeSvidResponse,
  NodeWorkloadRequest,
  RegisterRequest,
  RegisterResponse,
  SvidResponse,
  WorkloadStatus,
  WorkloadSvidRequest,
} from "@ripstop/model";
import { ControlApi, type ApiFailure, type CallerIdentity, type ApiRequestOptions } from "../control-api.ts";
import { controlNotTrusted, hostClockWrong, joinUnreachable } from "../errors.ts";
import { failureOf } from "./failure-of.ts";
import { reachableAddress, type JoinAddress } from "./join-address.ts";
import { rootsOf, type TrustAnchor } from "./trust-anchor.ts";

/** How to join. */
export interface JoinApiOptions {
  readonly address: JoinAddress;
  readonly trust: TrustAnchor;
  readonly clock: Clock;
  /** The proof for the first time; read anew at each use, because platforms renew it. Undefined: only an SVID in use. */
  readonly evidence: (() => Result<JoinEvidence, string>) | undefined;
}

const DATE_ERRORS: ReadonlySet<string> = new Set(["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]);
const TRUST_ERRORS: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
const MAX_SOCKETS = 4;

/** Calls the join listener. */
export class JoinApi extends ControlApi {
  readonly #options: JoinApiOptions;
  #rootsPem: string | undefined;
  #identity: CallerIdentity | undefined;
  #agent: Agent | undefined;

  constructor(options: JoinApiOptions) {
    super("");
    this.#options = options;
  }

  /** By the control plane's own certificate, which has been verified. */
  override async trustDomain(): Promise<Result<string, ApiFailure>> {
    const ready = await this.#ready();
    if (!ready.ok) return ready;
    return new Promise((resolve) => {
      const outgoing = this.open({ method: "GET", path: "/healthz" });
      outgoing.on("error", (cause) => resolve(err(this.unreachable(cause))));
      outgoing.on("response", (incoming) => {
        incoming.resume();
        const domain = incoming.socket instanceof TLSSocket ? controlDomain(incoming.socket.getPeerCertificate()) : "";
        outgoing.destroy();
        resolve(domain === "" ? err(failureOf(controlNotTrusted, "it is not the control plane", 403)) : ok(domain));
      });
      outgoing.end();
    });
  }

  override useIdentity(identity: CallerIdentity): void {
    this.#identity = identity;
    this.#rootsPem = identity.bundlePem;
    // Requests on the way keep the connections of the old one, which end when they have been idle.
    this.#agent = undefined;
  }

  override useBundle(bundlePem: string): void {
    if (bundlePem === this.#rootsPem) return;
    this.#rootsPem = bundlePem;
    this.#agent = undefined;
  }

  /** By the SVID in use, else by the proof. */
  override async register(registration: RegisterRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    let answer: Result<RegisterResponse, ApiFailure> | undefined;
    if (this.#identity !== undefined) answer = await this.call("POST", "/v1/workloads", registration);
    const { evidence, address, clock } = this.#options;
    const isRefused = answer?.ok === false && answer.error.status === 401;
    if (evidence !== undefined && (answer === undefined || isRefused)) {
      const proof = evidence();
      if (!proof.ok) return err(failureOf(controlNotTrusted, proof.error, 400));
      // A certificate that is of no use any more would only be in the way.
      this.#identity = undefined;
      this.#agent = undefined;
      answer = await this.call("POST", "/v1/join", { evidence: proof.value, timeMs: clock.nowMs(), registration });
    }
    if (answer === undefined) return err(failureOf(controlNotTrusted, "there is no proof to join with", 400));
    if (!answer.ok) return answer;
    const controlAddresses = answer.value.controlAddresses.map((one) => reachableAddress(one, address));
    return ok({ ...answer.value, controlAddresses });
  }

  /** As over the socket; an SVID that is of no use any more reads as "forgotten" when a platform's token can renew it. */
  override async report(
    workloadId: string,
    status: WorkloadStatus,
  ): Promise<Result<{ readonly leaseMs: number }, ApiFailure>> {
    const answer = await super.report(workloadId, status);
    if (answer.ok || answer.error.status !== 401) return answer;
    const proof = this.#options.evidence?.();
    return proof?.ok === true && proof.value.type === "jwt" ? err({ ...answer.error, status: 404 }) : answer;
  }

  /** POST /v1/join/node. */
  joinNode(evidence: JoinEvidence, name: string, csrPem: string): Promise<Result<NodeSvidResponse, ApiFailure>> {
    return this.call("POST", "/v1/join/node", { evidence, timeMs: this.#options.clock.nowMs(), name, csrPem });
  }

  /** POST /v1/nodes/NAME/svid. */
  renewNode(name: string, csrPem: string): Promise<Result<NodeSvidResponse, ApiFailure>> {
    return this.call("POST", `/v1/nodes/${name}/svid`, { csrPem });
  }

  /** GET /v1/nodes/NAME/entries. */
  nodeEntries(name: string): Promise<Result<NodeEntries, ApiFailure>> {
    return this.call("GET", `/v1/nodes/${name}/entries`);
  }

  /** POST /v1/nodes/NAME/svids. */
  issueForNode(name: string, body: WorkloadSvidRequest): Promise<Result<SvidResponse, ApiFailure>> {
    return this.call("POST", `/v1/nodes/${name}/svids`, body);
  }

  /** POST /v1/nodes/NAME/jwt-svids. */
  jwtForNode(name: string, body: NodeJwtRequest): Promise<Result<JwtSvidResponse, ApiFailure>> {
    return this.call("POST", `/v1/nodes/${name}/jwt-svids`, body);
  }

  /** POST /v1/nodes/NAME/workloads. */
  async registerForNode(name: string, body: NodeWorkloadRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    const answer = await this.call<RegisterResponse>("POST", `/v1/nodes/${name}/workloads`, body);
    if (!answer.ok) return answer;
    const { address } = this.#options;
    const controlAddresses = answer.value.controlAddresses.map((one) => reachableAddress(one, address));
    return ok({ ...answer.value, controlAddresses });
  }

  override async call<Answer>(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs?: number,
  ): Promise<Result<Answer, ApiFailure>> {
    const ready = await this.#ready();
    return ready.ok ? super.call(method, path, body, timeoutMs) : ready;
  }

  protected override open(options: ApiRequestOptions): ClientRequest {
    const { host, port } = this.#options.address;
    this.#agent ??= this.#createAgent();
    return request({ agent: this.#agent, ...options, host, port });
  }

  protected override unreachable(cause: NodeJS.ErrnoException): ApiFailure {
    const { host, port } = this.#options.address;
    const code = cause.code ?? "";
    const message = `${host}:${port}: ${cause.message}`;
    if (DATE_ERRORS.has(code)) return failureOf(hostClockWrong, message, 403);
    if (TRUST_ERRORS.has(code)) return failureOf(controlNotTrusted, message, 403);
    return failureOf(joinUnreachable, message);
  }

  async #ready(): Promise<Result<undefined, ApiFailure>> {
    if (this.#rootsPem !== undefined) return ok(undefined);
    const roots = await rootsOf(this.#options.trust, this.#options.address, this.#options.clock);
    if (!roots.ok) return roots;
    this.#rootsPem = roots.value;
    return ok(undefined);
  }

  #createAgent(): Agent {
    return new Agent({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      // A resumed session would prove nothing of the key.
      maxCachedSessions: 0,
      minVersion: "TLSv1.3",
      ca: this.#rootsPem ?? "",
      ...(this.#identity === undefined ? {} : { cert: this.#identity.chainPem, key: this.#identity.keyPem }),
      checkServerIdentity: (_, certificate) => {
        if (controlDomain(certificate) !== "") return undefined;
        const error: NodeJS.ErrnoException = new Error("its certificate is not the control plane's");
        error.code = "ERR_TLS_CERT_ALTNAME_INVALID";
        return error;
      },
    });
  }
}

/** The trust domain of a certificate that is a control plane's and nothing else, or "". */
function controlDomain({ subjectaltname }: PeerCertificate): string {
  if (subjectaltname?.startsWith("URI:") !== true) return "";
  const id = parseSpiffeId(subjectaltname.slice("URI:".length));
  return id.ok && id.value.uri === controlSpiffeId(id.value.trustDomain) ? id.value.trustDomain : "";
}
