// What a control plane is started with, and what it is once it runs.

import type { Clock } from "@ripstop/core";
import type { PeerVerifier } from "@ripstop/discovery/server";
import type { KeyKind } from "@ripstop/identity/authority";
import type { Logger, MetricRegistry } from "@ripstop/telemetry";

import type { ResourceLimits } from "./api/resources/resource-ledger.ts";
import type { Route } from "./api/router.ts";
import type { HostAndPort } from "./on-port.ts";
import type { EtcdSettings } from "./store/open-store.ts";

/** How to start a control plane. */
export interface ControlOptions {
  /** Folder of the mesh (made with mode 0700): store, keys, sockets. */
  readonly home: string;
  readonly clock: Clock;
  /** Version of the program, for /v1/info. */
  readonly version: string;
  readonly metrics: MetricRegistry;
  /** Checks the SVIDs of proxies; default: as the SPIFFE X.509-SVID standard says. */
  readonly verifyPeer?: PeerVerifier;
  readonly logger?: Logger;
  /** Default: what the home was made with, else "mesh.local". */
  readonly trustDomain?: string;
  /** Folder of the built dashboard; absent, only the API is served. */
  readonly dashboardDirectory?: string;
  /** Wanted port of the dashboard; default the one of the last start, else a free one. Taken: a free one, with a notice. */
  readonly dashboardPort?: number;
  /** Keeps resources in etcd instead of in the home. */
  readonly etcd?: EtcdSettings;
  /**
   * File with the key that seals the certificate authority in etcd: this control plane is one of several that have the
   * same file and the same etcd. Absent: the authority lies in the home, and no other control plane may use the prefix.
   */
  readonly authorityKeyFile?: string;
  /** Host by which proxies and hosts reach this control plane; default: where it listens. */
  readonly replicaHost?: string;
  /** Revisions kept for `ripstop history`, diff and rollback; default 1 000. */
  readonly keepRevisions?: number;
  /** Wanted port of the config stream; likewise. */
  readonly streamPort?: number;
  /** Where the config stream listens; exactly there. Default: loopback, `streamPort`. */
  readonly streamAddress?: HostAndPort;
  /** Where the join listener listens; exactly there. Default: loopback, the port of the last start, else a free one. */
  readonly joinAddress?: HostAndPort;
  /** Serves the API over TLS to callers with a token; absent, it does not. */
  readonly api?: {
    readonly address: HostAndPort;
    /** PEM files of its certificate; absent: the control plane's SVID. */
    readonly files?: { readonly certificateFile: string; readonly keyFile: string };
  };
  /** What one namespace may have; default: generous. */
  readonly limits?: ResourceLimits;
  /** Lifetime of SVIDs, 10 s … 24 h; default 1 h. */
  readonly svidTtlMs?: number;
  /** Kind of the keys of roots and intermediates that are made from now on; default EC P-256. */
  readonly caKey?: KeyKind;
  /** Folder of an intermediate that was made elsewhere: tls.crt (its chain), tls.key, ca.crt (the roots); watched. */
  readonly externalCaDirectory?: string;
  /** Lifetime of roots that are made from now on; default 10 years. */
  readonly rootLifetimeMs?: number;
  /** Called after each durable step of a rotation or recovery, with its name: for tests of crashes. */
  readonly checkpoint?: (step: string) => void;
  /** Serves the own bundle to other trust domains; absent, it does not. */
  readonly bundleEndpoint?: {
    /** "HOST:PORT"; port 0 is a free one. */
    readonly address: string;
    /** PEM files of a certificate of the Web PKI (https_web); absent: the control plane's SVID (https_spiffe). */
    readonly web?: { readonly certificateFile: string; readonly keyFile: string };
  };
}

/** A running control plane. */
export interface Control {
  readonly apiSocket: string;
  /** "HOST:PORT". */
  readonly streamAddress: string;
  /** "HOST:PORT" of the join listener. */
  readonly joinAddress: string;
  /** "HOST:PORT" of the API over TLS; undefined when it is off. */
  readonly apiAddress: string | undefined;
  readonly dashboardUrl: string;
  readonly trustDomain: string;
  /** The routes of the API. */
  readonly routes: readonly Pick<Route, "method" | "path">[];
  /** "https://HOST:PORT/" of the bundle endpoint; undefined when it is off. */
  readonly bundleEndpointUrl: string | undefined;
  /** Sentences for the user: a port that was taken and what was used instead. */
  readonly notices: readonly string[];
  /** Ends streams and listeners, closes the store; what is registered stays for the next start. */
  close(): Promise<void>;
}
