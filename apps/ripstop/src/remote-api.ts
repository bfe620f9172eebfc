// The control plane's API over TLS, with a token: for people and pipelines on other hosts.

import type { ClientRequest } from "node:http";
import { request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

import { ControlApi, type ApiFailure, type ApiRequestOptions, type JoinAddress } from "@ripstop/agent-engine";
import { controlSpiffeId, parseSpiffeId } from "@ripstop/identity";

import { remoteUnreachable } from "./errors.ts";

/** How to reach the API. */
export interface RemoteApiOptions {
  readonly address: JoinAddress;
  /** An API token, or an ID token. */
  readonly token: string;
  /** Certificates that the control plane's must end in, PEM: the trust bundle of the mesh; default: those of the system. */
  readonly caPem?: string;
}

/** Calls the API of a control plane elsewhere. */
export class RemoteApi extends ControlApi {
  readonly #options: RemoteApiOptions;

  constructor(options: RemoteApiOptions) {
    super("");
    this.#options = options;
  }

  protected override open(options: ApiRequestOptions): ClientRequest {
    const { address, token, caPem } = this.#options;
    return request({
      ...options,
      host: address.host,
      port: address.port,
      agent: false,
      minVersion: "TLSv1.3",
      headers: { ...options.headers, authorization: `Bearer ${token}` },
      ...(caPem === undefined ? {} : { ca: caPem }),
      // An SVID has no host name: it names the control plane itself, and only a mesh's own roots may vouch for that.
      checkServerIdentity: (host, certificate) =>
        caPem !== undefined && isControlPlane(certificate) ? undefined : checkServerIdentity(host, certificate),
    });
  }

  protected override unreachable(cause: Error): ApiFailure {
    const { host, port } = this.#options.address;
    const { code, title, remedy } = remoteUnreachable;
    return { status: 0, error: { code, title, remedy, message: `${host}:${port}: ${cause.message}` } };
  }
}

/** Whether a certificate is of a control plane and of nothing else. */
function isControlPlane({ subjectaltname }: PeerCertificate): boolean {
  if (subjectaltname?.startsWith("URI:") !== true) return false;
  const id = parseSpiffeId(subjectaltname.slice("URI:".length));
  return id.ok && id.value.uri === controlSpiffeId(id.value.trustDomain);
}
