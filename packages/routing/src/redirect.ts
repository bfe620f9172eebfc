// Where a redirect leads (Gateway API HTTPRequestRedirectFilter).

import type { RequestRedirect } from "@ripstop/model";
import { compilePathEdit } from "./path-edit.ts";

/** The request as far as a redirect depends on it. */
export interface RedirectedRequest {
  /** "http" or "https". */
  readonly scheme: string;
  /** Of the request's authority; IPv6 without brackets. */
  readonly host: string;
  /** The port that the request came in on: of the listener, or of the service in a mesh. Not that of its Host field. */
  readonly port: number;
  /** Path and query. */
  readonly target: string;
}

/** A redirect ready to answer. */
export interface Redirect {
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
  /** The value of Location: always an absolute URL. */
  location(request: RedirectedRequest): string;
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** Makes a redirect ready; `prefix` as in `compilePathEdit`. */
export function compileRedirect(redirect: RequestRedirect, prefix: string): Redirect {
  const { hostname } = redirect;
  const edit = compilePathEdit(redirect.path, prefix);
  return {
    status: STATUSES.has(redirect.status) ? redirect.status : 302,
    location(request) {
      const scheme = redirect.scheme || request.scheme;
      const host = hostname || (request.host.includes(":") ? `[${request.host}]` : request.host);
      const port = redirect.port || WELL_KNOWN_PORTS[redirect.scheme] || request.port;
      const authority = port === 0 || port === WELL_KNOWN_PORTS[scheme] ? host : `${host}:${port}`;
      const target = request.target.startsWith("/") ? request.target : "/";
      return `${scheme}://${authority}${edit === undefined ? target : edit.apply(target)}`;
    },
  };
}
