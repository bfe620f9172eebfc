// ControlPlaneConfig (ripstop.mesh/v1alpha1): the settings of the control plane itself. It is a file, never applied.

import { parseDurationMs } from "@ripstop/core";

import type { JsonSchema, Kind } from "../../kind.ts";
import type { Violation } from "../../violation.ts";

/** A certificate and its key, PEM files. */
interface CertificateFiles {
  readonly certificateFile?: string;
  readonly keyFile?: string;
}

/** The settings. What is absent is left to the control plane. */
export interface ControlPlaneConfigSpec {
  readonly trustDomain?: string;
  readonly api?: CertificateFiles & { readonly address?: string };
  readonly dashboard?: { readonly port?: number };
  readonly stream?: { readonly address?: string };
  readonly join?: { readonly address?: string };
  readonly store: {
    readonly keepRevisions: number;
    readonly etcd?: CertificateFiles & {
      readonly endpoints?: readonly string[];
      readonly prefix: string;
      readonly caFile?: string;
    };
  };
  readonly authority?: {
    readonly svidTtl?: string;
    readonly keyKind?: "ec-p256" | "ec-p384" | "rsa-2048";
    readonly rootLifetime?: string;
    readonly externalDirectory?: string;
    readonly sharedKeyFile?: string;
  };
  readonly replica?: { readonly host?: string };
  readonly bundleEndpoint?: CertificateFiles & { readonly address?: string };
  readonly limits: { readonly resourcesPerNamespace: number; readonly resourceCharacters: number };
}

const address = (description: string): JsonSchema => ({
  type: "string",
  pattern: "^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9.-]{1,253}):[0-9]{1,5}$",
  "x-remedy": 'write "HOST:PORT"',
  description,
});
const file = (description: string): JsonSchema => ({ type: "string", minLength: 1, maxLength: 4096, description });

/** Schema of ControlPlaneConfigSpec. */
export const controlPlaneConfigSchema: JsonSchema = {
  type: "object",
  description: "The settings of the control plane itself: a file for ripstop control --config, never applied.",
  properties: {
    trustDomain: {
      type: "string",
      minLength: 1,
      maxLength: 255,
      description: "Trust domain of a new mesh; default: what the home was made with, else mesh.local.",
    },
    api: {
      type: "object",
      description: "The API for the network, over TLS and with tokens.",
      properties: {
        address: address("Where it listens; absent: only on the Unix socket of the home."),
        certificateFile: file("Its certificate, PEM; absent: the control plane's SVID."),
        keyFile: file("Key of that certificate, PEM."),
      },
    },
    dashboard: {
      type: "object",
      description: "The dashboard, on a loopback port.",
      properties: {
        port: {
          type: "integer",
          minimum: 1,
          maximum: 65535,
          description: "Its port; another one when it is taken. Default: that of the last start.",
        },
      },
    },
    stream: {
      type: "object",
      description: "The config stream of the proxies.",
      properties: { address: address("Where proxies get their config; default: loopback.") },
    },
    join: {
      type: "object",
      description: "The listener at which hosts join over the network.",
      properties: { address: address("Where hosts join; default: loopback.") },
    },
    store: {
      type: "object",
      description: "Where resources are kept.",
      default: {},
      properties: {
        keepRevisions: {
          type: "integer",
          minimum: 1,
          maximum: 1_000_000,
          default: 1_000,
          description: "Revisions kept for history, diff and rollback.",
        },
        etcd: {
          type: "object",
          description: "Keeps resources in etcd instead of in the home.",
          properties: {
            endpoints: {
              type: "array",
              minItems: 1,
              maxItems: 64,
              description: "Address of each member.",
              items: {
                type: "string",
                pattern: "^https?://[^/]+/?$",
                maxLength: 2048,
                "x-remedy": 'write "http(s)://HOST:PORT"',
              },
            },
            prefix: {
              type: "string",
              minLength: 1,
              maxLength: 1024,
              default: "/ripstop/",
              description: "Prefix of all keys.",
            },
            caFile: file("Certificate authority of the members, PEM."),
            certificateFile: file("Certificate of the control plane for etcd, PEM."),
            keyFile: file("Key of that certificate, PEM."),
          },
        },
      },
    },
    authority: {
      type: "object",
      description: "The certificate authority.",
      properties: {
        svidTtl: {
          type: "string",
          format: "duration",
          description: "Lifetime of certificates of workloads, 10s to 24h; default 1h.",
        },
        keyKind: {
          type: "string",
          enum: ["ec-p256", "ec-p384", "rsa-2048"],
          description: "Kind of the keys of new root certificates; default ec-p256.",
        },
        rootLifetime: {
          type: "string",
          format: "duration",
          description: "Lifetime of new root certificates, at least 10s; default 87600h.",
        },
        sharedKeyFile: file("Key of an authority that several control planes on one etcd share."),
        externalDirectory: file("Signs with an intermediate from elsewhere: tls.crt, tls.key and ca.crt, watched."),
      },
    },
    replica: {
      type: "object",
      description: "This control plane as one of several.",
      properties: {
        host: {
          type: "string",
          minLength: 1,
          maxLength: 253,
          description: "Host by which proxies reach this one; default: where it listens.",
        },
      },
    },
    bundleEndpoint: {
      type: "object",
      description: "Serves the trust bundle to other trust domains (SPIFFE federation).",
      properties: {
        address: address("Where it listens; absent: it does not."),
        certificateFile: file("Its certificate of the Web PKI, PEM; absent: the control plane's SVID."),
        keyFile: file("Key of that certificate, PEM."),
      },
    },
    limits: {
      type: "object",
      description: "What one namespace may have, so that none can burden the mesh of the others.",
      default: {},
      properties: {
        resourcesPerNamespace: {
          type: "integer",
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          description: "Resources in one namespace.",
        },
        resourceCharacters: {
          type: "integer",
          minimum: 1024,
          maximum: 8_388_608,
          default: 1_048_576,
          description: "Characters of one resource as JSON.",
        },
      },
    },
  },
};

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** The kind ControlPlaneConfig. */
export const controlPlaneConfigKind: Kind<ControlPlaneConfigSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "ControlPlaneConfig",
  plural: "controlplaneconfigs",
  shortNames: [],
  namespaced: false,
  schema: controlPlaneConfigSchema,
  validate({ spec }) {
    const { api = {}, bundleEndpoint = {}, authority = {} } = spec;
    const problems: Problem[] = [];
    const pairs: (readonly [string, CertificateFiles & { readonly address?: string }, boolean])[] = [
      ["spec.api", api, true],
      ["spec.bundleEndpoint", bundleEndpoint, true],
      ["spec.store.etcd", spec.store.etcd ?? {}, false],
    ];
    for (const [path, { certificateFile, keyFile, address: listens }, needsAddress] of pairs) {
      if ((certificateFile === undefined) !== (keyFile === undefined)) {
        const missing = keyFile === undefined ? "keyFile" : "certificateFile";
        problems.push({ path: `${path}.${missing}`, message: `${missing} is missing`, remedy: "give both files" });
      }
      if (needsAddress && certificateFile !== undefined && listens === undefined) {
        problems.push({ path: `${path}.address`, message: "address is missing", remedy: "say where it listens" });
      }
    }
    const addresses: (readonly [string, string | undefined])[] = [
      ["spec.api.address", api.address],
      ["spec.stream.address", spec.stream?.address],
      ["spec.join.address", spec.join?.address],
      ["spec.bundleEndpoint.address", bundleEndpoint.address],
    ];
    for (const [path, text = ""] of addresses) {
      if (Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535) continue;
      problems.push({
        path,
        message: `the port of ${text} is too large`,
        remedy: "use a port up to 65535; 0 is a free one",
      });
    }
    problems.push(...checkDuration("spec.authority.svidTtl", authority.svidTtl, 24 * 3_600_000, "10s to 24h"));
    problems.push(...checkDuration("spec.authority.rootLifetime", authority.rootLifetime, Infinity, "at least 10s"));
    return problems;
  },
};

function checkDuration(path: string, text: string | undefined, maxMs: number, range: string): Problem[] {
  const parsed = text === undefined ? undefined : parseDurationMs(text);
  if (parsed === undefined || !parsed.ok || (parsed.value >= 10_000 && parsed.value <= maxMs)) return [];
  return [{ path, message: `the duration is ${text ?? ""}`, remedy: `give a duration of ${range}` }];
}
