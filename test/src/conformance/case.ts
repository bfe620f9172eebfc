// What a conformance case is: resources to apply, and steps that say what must be seen. Cases are data; `run.ts` runs them.

/** A resource as the file of a user has it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** One request, or one connection. */
export interface Ask {
  /** Gateway that is asked; default "edge". Not for requests with `from`. */
  readonly via?: string;
  /** The client in the mesh that asks, by its namespace; default a client outside that asks a Gateway. */
  readonly from?: "conformance" | "conformance-web";
  /** With `from`: opens a tunnel to the host (CONNECT) and asks inside of it, so that the Host field can be another. */
  readonly tunnel?: boolean;
  /** With `from`, in place of a host: the address of this backend's own instance. */
  readonly instance?: string;
  /** Default "http". "tcp" sends `path` as a line of text; "tls" does so inside of TLS. */
  readonly scheme?: "http" | "https" | "h2c" | "grpc" | "ws" | "tcp" | "tls";
  /** Port of the listener; default 80, and 443 with TLS. */
  readonly port?: number;
  /** Host field; default "CASE.example". */
  readonly host?: string;
  /** Server name of the handshake; default the host. */
  readonly sni?: string;
  /** Default "/". With "grpc": "/SERVICE/METHOD". */
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Shows a client certificate: of the authority that the cases' ConfigMap names, or of another. */
  readonly certificate?: "known" | "unknown";
}

/** What must come back. What is not said is not looked at. */
export interface Expected {
  /** One of these; default 200. */
  readonly status?: number | readonly number[];
  /** `grpc-status`. */
  readonly grpc?: number;
  /** Name of the backend that must have answered; with several, one of them. */
  readonly backend?: string | readonly string[];
  /** Response fields: the value, a pattern, or null for a field that must not be there. */
  readonly headers?: Readonly<Record<string, string | RegExp | null>>;
  /** Request fields as the backend got them. */
  readonly got?: Readonly<Record<string, string | RegExp | null>>;
  /** Path with query, as the backend got it. */
  readonly path?: string;
  /** Host, as the backend got it. */
  readonly host?: string;
  /** Protocol that the backend was spoken to. */
  readonly protocol?: string;
  /** Server name of the TLS that the backend was spoken to in; null for none. */
  readonly serverName?: string | null;
  /** Names in the certificate that was shown to the backend. */
  readonly clientNames?: string | RegExp;
  readonly body?: RegExp;
  /** The connection must fail. */
  readonly failed?: true;
}

/** What a resource's status must say. Every condition looked at must be of the resource's generation. */
export interface StatusStep {
  /** "KIND NAMESPACE/NAME". */
  readonly status: string;
  /** Which part: "" the whole, "parents.0", "ancestors.0", "listeners.NAME". */
  readonly at?: string;
  /** "TYPE=STATUS" or "TYPE=STATUS/REASON"; with "!" before it: a type that must not be True. */
  readonly conditions?: readonly string[];
  /** Path in that part → JSON value. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Keys → values; null for a key that must not be there. */
export type Metadata = Readonly<Record<string, string | null>>;

/** One step of a case. */
export type Step =
  | { readonly ask: Ask; readonly expect: Expected }
  /** `count` requests; each backend's share, in percent, within `within` points. "" are answers that no backend gave. */
  | {
      readonly share: Ask;
      readonly count: number;
      readonly of: Readonly<Record<string, number>>;
      readonly within?: number;
    }
  /** The backend must have got this path, from `times` to `atMost` times. */
  | { readonly arrived: string; readonly backend: string; readonly times: number; readonly atMost?: number }
  | StatusStep
  /** What was made for this Gateway, found by its label, must be there and have these; null: not have it. */
  | { readonly generated: string; readonly labels: Metadata; readonly annotations: Metadata }
  | { readonly apply: readonly Manifest[] }
  /** "KIND NAMESPACE/NAME" to delete. */
  | { readonly remove: string }
  /** Must be refused, by a violation that matches. */
  | { readonly refused: Manifest; readonly says: RegExp };

/** One case. */
export interface Case {
  /** Unique, a DNS label: names of its resources and its host are made of it. */
  readonly name: string;
  /** One sentence: what holds. */
  readonly holds: string;
  /** Features of pkg/features that it shows. */
  readonly features: readonly string[];
  /** Rules of "semantics commonly got wrong" that it shows. */
  readonly rules?: readonly number[];
  /** Names of upstream's tests whose claim it makes. */
  readonly tests?: readonly string[];
  readonly resources?: readonly Manifest[];
  readonly steps: readonly Step[];
  /** Why it cannot hold: the feature is not supported. It is not run. */
  readonly unsupported?: string;
}

/**
 * The half that only needs an address and echo backends: no statuses, no changes under way, one Gateway, no backend by its
 * address (EndpointSlice).
 */
export function needsOnlyTraffic({ steps, resources = [] }: Case): boolean {
  return (
    resources.every(({ kind }) => kind !== "EndpointSlice" && kind !== "Gateway") &&
    steps.every(
      (step) => ("ask" in step && plain(step.ask)) || ("share" in step && plain(step.share)) || "status" in step,
    ) &&
    steps.some((step) => "ask" in step || "share" in step)
  );
}

function plain({ via, from, scheme = "http", port = 80 }: Ask): boolean {
  return via === undefined && from === undefined && port === 80 && ["http", "h2c", "grpc", "ws"].includes(scheme);
}
