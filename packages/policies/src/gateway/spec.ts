// Gateway and ListenerSet (gateway.networking.k8s.io/v1): their specs as they are after defaults.

/** The protocol of a listener that workloads of the mesh call, over mutual TLS, to be led on to hosts outside. */
export const EGRESS_PROTOCOL = "ripstop.mesh/Egress";

/** Spec of a Gateway: where traffic comes in. */
export interface GatewaySpec {
  readonly gatewayClassName: string;
  readonly listeners: readonly ListenerSpec[];
  readonly addresses?: readonly { readonly type: string; readonly value?: string }[];
  readonly allowedListeners?: { readonly namespaces: NamespacesFrom };
  readonly infrastructure?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly parametersRef?: { readonly group: string; readonly kind: string; readonly name: string };
  };
  readonly tls?: {
    readonly backend?: { readonly clientCertificateRef?: ObjectRef };
    readonly frontend?: {
      readonly default: FrontendTls;
      readonly perPort?: readonly { readonly port: number; readonly tls: FrontendTls }[];
    };
  };
}

/** Spec of a ListenerSet: further listeners of a Gateway. */
export interface ListenerSetSpec {
  readonly parentRef: {
    readonly group: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
  };
  readonly listeners: readonly ListenerSpec[];
}

/** One listener. */
export interface ListenerSpec {
  readonly name: string;
  readonly hostname?: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls?: {
    readonly mode: "Terminate" | "Passthrough";
    readonly certificateRefs?: readonly ObjectRef[];
  };
  readonly allowedRoutes: {
    readonly namespaces: NamespacesFrom;
    readonly kinds?: readonly { readonly group: string; readonly kind: string }[];
  };
}

/** Which namespaces may attach. */
export interface NamespacesFrom {
  readonly from: "All" | "Same" | "Selector" | "None";
  readonly selector?: LabelSelector;
}

/** Kubernetes' label selector: all of it must hold; an empty one holds for everything. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** Names a Secret or ConfigMap. */
export interface ObjectRef {
  readonly group: string;
  readonly kind: string;
  /** Default: the referrer's own. */
  readonly namespace?: string;
  readonly name: string;
}

/** How clients are checked. */
export interface FrontendTls {
  readonly validation?: {
    readonly caCertificateRefs: readonly ObjectRef[];
    readonly mode: "AllowValidOnly" | "AllowInsecureFallback";
  };
}
