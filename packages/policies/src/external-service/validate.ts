// What the schema of ExternalService cannot say.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import type { Resource, Violation } from "@ripstop/resources";

import type { ExternalServiceSpec } from "./schema.ts";

type Found = Pick<Violation, "path" | "message" | "remedy">;

/** Every violation of the rules beyond the schema. */
export function validateExternalService({ spec }: Resource<ExternalServiceSpec>): Found[] {
  return [...hostProblems(spec), ...portProblems(spec), ...addressProblems(spec)];
}

function hostProblems({ hosts }: ExternalServiceSpec): Found[] {
  return hosts.flatMap((host, at) => {
    const path = `spec.hosts[${at}]`;
    if (hosts.indexOf(host) !== at) return [{ path, message: `${host} is given twice`, remedy: "keep one of the two" }];
    if (isIP(host) !== 0) {
      return [
        {
          path,
          message: `${host} is an address`,
          remedy: "name the host that callers name, and give addresses with resolution Static",
        },
      ];
    }
    // "*.com" would take nearly everything: two labels must stand.
    if (host.startsWith("*.") && host.split(".").length < 3) {
      return [
        { path, message: `${host} covers a whole top-level domain`, remedy: 'write for example "*.example.com"' },
      ];
    }
    if (!host.includes(".")) {
      return [
        {
          path,
          message: `${host} is a name of one label`,
          remedy: "such names are those of services; write a full name",
        },
      ];
    }
    return [];
  });
}

function portProblems({ ports }: ExternalServiceSpec): Found[] {
  const found: Found[] = [];
  for (const [at, { port, protocol, tls }] of ports.entries()) {
    const path = `spec.ports[${at}]`;
    if (ports.findIndex((other) => other.port === port) !== at) {
      found.push({ path: `${path}.port`, message: `port ${port} is given twice`, remedy: "keep one of the two" });
    }
    if (tls === undefined) continue;
    if (protocol === "TLS" || protocol === "TCP") {
      found.push({
        path: `${path}.tls`,
        message: `callers of a ${protocol} port speak for themselves`,
        remedy: "leave tls out, or let callers speak plain HTTP to the proxy: protocol HTTP, HTTP2 or GRPC",
      });
    }
    if (tls.sni?.startsWith("*.") === true) {
      found.push({ path: `${path}.tls.sni`, message: "a server name has no *", remedy: "write one name" });
    }
    if (tls.caCertificates !== undefined && !isPem(tls.caCertificates)) {
      found.push({
        path: `${path}.tls.caCertificates`,
        message: "there is no certificate in it",
        remedy: 'give PEM text that begins with "-----BEGIN CERTIFICATE-----"',
      });
    }
  }
  return found;
}

function isPem(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

function addressProblems({ resolution, addresses }: ExternalServiceSpec): Found[] {
  if (resolution === "Static" && addresses === undefined) {
    return [{ path: "spec.addresses", message: "there are no addresses", remedy: "give some, or use resolution DNS" }];
  }
  if (resolution === "DNS" && addresses !== undefined) {
    return [
      {
        path: "spec.addresses",
        message: "the addresses come from DNS",
        remedy: "leave them out, or use resolution Static",
      },
    ];
  }
  return (addresses ?? []).flatMap((address, at) =>
    isIP(address) === 0
      ? [
          {
            path: `spec.addresses[${at}]`,
            message: `"${address}" is not an IP address`,
            remedy: "write an IPv4 or IPv6 address, without port",
          },
        ]
      : [],
  );
}
