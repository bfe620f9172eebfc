// BackendTLSPolicy (gateway.networking.k8s.io/v1): the spec as it is after defaults.

import type { ObjectRef } from "../gateway/spec.ts";

/** Attached to Services of its own namespace. */
export interface BackendTlsPolicySpec {
  readonly targetRefs: readonly {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    /** Name of a port of the Service. */
    readonly sectionName?: string;
  }[];
  readonly validation: {
    readonly hostname: string;
    readonly caCertificateRefs?: readonly ObjectRef[];
    readonly wellKnownCACertificates?: string;
    readonly subjectAltNames?: readonly {
      readonly type: "Hostname" | "URI";
      readonly hostname?: string;
      readonly uri?: string;
    }[];
  };
  readonly options?: Readonly<Record<string, string>>;
}
