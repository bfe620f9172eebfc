// The kind EndpointSource. It belongs to no namespace: the control plane itself connects to what it names, with a token of
// the operator, so that only who administers the mesh may write one.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import type { Kind } from "../../kind.ts";
import { dnsSubdomainProblem, quote } from "../../names.ts";
import type { Resource } from "../../resource.ts";
import type { Violation } from "../../violation.ts";
import type { ServiceSpec } from "../service/index.ts";
import { endpointSourceSchema, type ConsulSpec, type DnsSrvSpec, type EndpointSourceSpec } from "./schema.ts";

export type { ConsulSpec, DnsSrvSpec, EndpointSourceSpec } from "./schema.ts";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** The kind EndpointSource. */
export const endpointSourceKind: Kind<EndpointSourceSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "EndpointSource",
  plural: "endpointsources",
  shortNames: ["source"],
  namespaced: false,
  schema: endpointSourceSchema,
  validate({ metadata, spec }) {
    const name = dnsSubdomainProblem(metadata.name, "the name");
    return [
      ...(name === undefined ? [] : [{ path: "metadata.name", ...name }]),
      ...sourceProblems(spec),
      ...(spec.dnsSrv === undefined ? [] : nameServerProblems(spec.dnsSrv)),
      ...(spec.consul === undefined ? [] : consulProblems(spec.consul)),
    ];
  },
  validateReferences({ spec }, lookup) {
    const { namespace, name } = spec.service;
    const service = lookup.get("Service", namespace, name) as Resource<ServiceSpec> | undefined;
    if (service === undefined) return [];
    if (Object.keys(service.spec.selector).length > 0) {
      return [
        {
          path: "spec.service",
          message: `the Service ${namespace}/${name} has a selector`,
          remedy: "name a Service without one: instances of the mesh and of a registry do not mix",
        },
      ];
    }
    const { port } = spec;
    if (port === undefined || service.spec.ports.some((one) => one.port === port)) return [];
    return [
      {
        path: "spec.port",
        message: `the Service ${namespace}/${name} has no port ${port}`,
        remedy: "write a port that clients of the Service name",
      },
    ];
  },
};

/** A name server as it is written; undefined when it is none. The default port is 53. */
export function parseNameServer(text: string): { readonly host: string; readonly port: number } | undefined {
  if (isIP(text) > 0) return { host: text, port: 53 };
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  if (found === null) return undefined;
  const [, ipv6 = "", ipv4 = "", digits = ""] = found;
  const port = Number(digits);
  const host = ipv6 === "" ? ipv4 : ipv6;
  return isIP(host) === (ipv6 === "" ? 4 : 6) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

function sourceProblems({ dnsSrv, consul }: EndpointSourceSpec): Problem[] {
  if ((dnsSrv === undefined) !== (consul === undefined)) return [];
  const message = dnsSrv === undefined ? "there is neither dnsSrv nor consul" : "there are both dnsSrv and consul";
  return [{ path: "spec", message, remedy: "write one of the two; a Service may have several EndpointSources" }];
}

function nameServerProblems({ nameServers = [] }: DnsSrvSpec): Problem[] {
  return nameServers.flatMap((text, at) =>
    parseNameServer(text) === undefined
      ? [
          {
            path: `spec.dnsSrv.nameServers[${at}]`,
            message: `${quote(text)} is no address of a name server`,
            remedy: 'write "IP", "IP:PORT" or "[IPv6]:PORT"',
          },
        ]
      : [],
  );
}

function consulProblems({ url, tokenSecret, caCertificates }: ConsulSpec): Problem[] {
  const problems: Problem[] = [];
  const path = "spec.consul.url";
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !["http:", "https:"].includes(parsed.protocol)) {
    problems.push({ path, message: `${quote(url)} is no URL of Consul`, remedy: 'write "https://HOST:8501"' });
  } else if (parsed.username !== "" || parsed.password !== "") {
    problems.push({ path, message: "the URL has a user or password", remedy: "put the token into a Secret" });
  } else if (parsed.pathname !== "/" || parsed.search !== "" || parsed.hash !== "") {
    problems.push({ path, message: "the URL has more than host and port", remedy: 'write "https://HOST:8501"' });
  } else if (parsed.protocol === "http:" && tokenSecret !== undefined && !isLoopback(parsed.hostname)) {
    problems.push({
      path,
      message: "a token would travel in plain text",
      remedy: "use https, or an agent on loopback",
    });
  }
  if (caCertificates !== undefined && !isPem(caCertificates)) {
    problems.push({
      path: "spec.consul.caCertificates",
      message: "there is no certificate in it",
      remedy: 'give PEM text that begins with "-----BEGIN CERTIFICATE-----"',
    });
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.[0-9.]+$/.test(host);
}

function isPem(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
