// FederatedTrustDomain (ripstop.mesh/v1alpha1): another trust domain whose identities are believed, and where its bundle
// comes from (SPIFFE Federation §5 and §6).

import type { JsonSchema, Kind } from "../../kind.ts";
import { dnsSubdomainProblem, quote } from "../../names.ts";
import type { Resource } from "../../resource.ts";
import type { Violation } from "../../violation.ts";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** Whom to believe beyond the own trust domain. */
export interface FederatedTrustDomainSpec {
  readonly trustDomain: string;
  /** Where new versions of the bundle come from. Absent: `bundle` is all there is. */
  readonly bundleEndpoint?: BundleEndpointSpec;
  /** The bundle to begin with: a SPIFFE bundle document (JSON), or root certificates (PEM). */
  readonly bundle?: string;
}

/** A SPIFFE bundle endpoint. */
export interface BundleEndpointSpec {
  readonly url: string;
  /** How the endpoint proves who it is: a certificate of the Web PKI, or an X.509-SVID. */
  readonly profile: "https_web" | "https_spiffe";
  /** Who the endpoint is; with https_spiffe. */
  readonly spiffeId?: string;
}

const MAX_BUNDLE_CHARACTERS = 256 * 1024;

const schema: JsonSchema = {
  type: "object",
  description: "Another trust domain whose identities are believed.",
  required: ["trustDomain"],
  properties: {
    trustDomain: {
      type: "string",
      description: 'Name of the trust domain, for example "partner.example".',
      pattern: "^[a-z0-9._-]{1,255}$",
      "x-remedy": "use 1 to 255 of a-z, 0-9, dot, dash and underscore, without spiffe://",
    },
    bundleEndpoint: {
      type: "object",
      description: "Where new versions of the bundle come from. Without it the given bundle is all there is.",
      required: ["url", "profile"],
      properties: {
        url: { type: "string", description: "URL of the bundle; https only.", maxLength: 2048 },
        profile: {
          type: "string",
          description: "How the endpoint proves who it is: a certificate of the Web PKI, or an X.509-SVID.",
          enum: ["https_web", "https_spiffe"],
        },
        spiffeId: {
          type: "string",
          description: "SPIFFE id of the endpoint; with https_spiffe.",
          maxLength: 2048,
          pattern: "^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$",
          "x-remedy": 'write the whole id, for example "spiffe://partner.example/ns/ripstop-system/sa/control"',
        },
      },
    },
    bundle: {
      type: "string",
      description: "The bundle to begin with: a SPIFFE bundle document (JSON), or root certificates (PEM).",
      minLength: 1,
      maxLength: MAX_BUNDLE_CHARACTERS,
    },
  },
};

/** The kind FederatedTrustDomain. */
export const federatedTrustDomainKind: Kind<FederatedTrustDomainSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "FederatedTrustDomain",
  plural: "federatedtrustdomains",
  shortNames: ["ftd"],
  namespaced: false,
  schema,
  validate({ metadata, spec }) {
    const name = dnsSubdomainProblem(metadata.name, "the name");
    return [...(name === undefined ? [] : [{ path: "metadata.name", ...name }]), ...sourceProblems(spec)];
  },
  validateReferences({ metadata, spec }, lookup) {
    for (const other of lookup.list("FederatedTrustDomain")) {
      if (other.metadata.name === metadata.name) continue;
      if ((other as Resource<FederatedTrustDomainSpec>).spec.trustDomain !== spec.trustDomain) continue;
      return [
        {
          path: "spec.trustDomain",
          message: `${quote(spec.trustDomain)} is described by ${other.metadata.name} already`,
          remedy: "keep one of the two: a trust domain has one bundle",
        },
      ];
    }
    return [];
  },
};

function sourceProblems({ trustDomain, bundleEndpoint, bundle }: FederatedTrustDomainSpec): Problem[] {
  if (bundleEndpoint === undefined) {
    if (bundle !== undefined) return [];
    return [
      {
        path: "spec",
        message: "there is neither bundleEndpoint nor bundle",
        remedy: "say where the bundle comes from, or give it",
      },
    ];
  }
  const { url, profile, spiffeId } = bundleEndpoint;
  const problems: Problem[] = [];
  const problem = urlProblem(url);
  if (problem !== undefined) problems.push({ path: "spec.bundleEndpoint.url", ...problem });
  if (profile === "https_web") {
    if (spiffeId !== undefined) {
      problems.push({
        path: "spec.bundleEndpoint.spiffeId",
        message: "an endpoint with a certificate of the Web PKI has no SPIFFE id",
        remedy: "use https_spiffe, or leave spiffeId out",
      });
    }
    return problems;
  }
  if (spiffeId === undefined) {
    problems.push({
      path: "spec.bundleEndpoint.spiffeId",
      message: "spiffeId is missing",
      remedy: "say who the endpoint is: without that anybody of its trust domain could speak for it",
    });
  } else if (spiffeId.startsWith(`spiffe://${trustDomain}/`) && bundle === undefined) {
    problems.push({
      path: "spec.bundle",
      message: "bundle is missing",
      remedy:
        "give the bundle to begin with: the endpoint proves itself by it (`ripstop identity bundle -o spiffe` there)",
    });
  }
  return problems;
}

function urlProblem(text: string): Omit<Problem, "path"> | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return {
      message: `${quote(text)} is no URL`,
      remedy: 'write it in full, for example "https://mesh.example:8443/"',
    };
  }
  if (url.protocol !== "https:") return { message: `${quote(text)} is not https`, remedy: "use an https URL" };
  if (url.username !== "" || url.password !== "")
    return { message: "the URL has a user or password", remedy: "leave them out: bundles are public" };
  return undefined;
}
