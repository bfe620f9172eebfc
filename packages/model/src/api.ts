// The REST API between the control plane and its clients (CLI, `ripstop run`, dashboard): JSON over HTTP/1.1 on the
// Unix socket "control.sock" of the mesh home (mode 0600). The dashboard's loopback listener serves the GET routes only.
//
//   POST   /v1/apply                      ApplyRequest → ApplyResponse | 422 ApiError with violations
//   GET    /v1/resources?kind=&namespace= → { resources: Resource[] }
//   GET    /v1/resources/KIND/NS/NAME     → Resource        (NS is "-" for kinds without namespace)
//   DELETE /v1/resources/KIND/NS/NAME     → ApplyResponse
//   GET    /v1/revisions/N/live?waitMs=   → LiveStatus      (answers when live on all, or after waitMs)
//   GET    /v1/revisions?limit=&before=&kind=&namespace=&name= → HistoryPage   (newest first)
//   GET    /v1/diff?from=&to=             → Diff            (the net difference between two revisions)
//   POST   /v1/diff                       ApplyRequest → Diff   (what applying it would change)
//   POST   /v1/rollback                   RollbackRequest → ApplyResponse
//   POST   /v1/workloads                  RegisterRequest → RegisterResponse
//   PUT    /v1/workloads/NS/INSTANCE      WorkloadStatus → HeartbeatResponse   (also the heartbeat)
//   POST   /v1/workloads/NS/INSTANCE/svid SvidRequest → SvidResponse
//   DELETE /v1/workloads/NS/INSTANCE      → {}              (graceful leave)
//   GET    /v1/workloads                  → { workloads: WorkloadView[] }
//   GET    /v1/graph                      → Graph
//   GET    /v1/tap?source=&destination=&path=&minStatus=  → newline-delimited TapEvent JSON, until closed
//   GET    /v1/events?after=             → { events: MeshEvent[] }   (those with a number above `after`)
//   GET    /v1/proxies                    → ProxyList   (of all control planes; ?here=true: of this one alone)
//   GET    /v1/identity/identities        → IdentityList
//   GET    /v1/identity/identity?id=      → IdentityDetails
//   GET    /v1/identity/revocations       → { revocations: RevocationView[] }
//   POST   /v1/identity/revocations       RevokeRequest → RevokeResponse
//   DELETE /v1/identity/revocations?spiffeId=|serialNumber=  → RevokeResponse
//   POST   /v1/identity/issue             IssueRequest → IssueResponse
//   GET    /v1/identity/bundle            → TrustBundleView
//   GET    /v1/identity/bundles?after=&waitMs= → BundlesView   (answers when they are other than `after`, or after waitMs)
//   POST   /v1/workloads/NS/INSTANCE/jwt-svid JwtSvidRequest → JwtSvidResponse
//   GET    /v1/identity/health            → IdentityHealth
//   GET    /v1/identity/rotation          → RotationStatus
//   POST   /v1/identity/rotation          RotationRequest → RotationStatus
//   DELETE /v1/identity/rotation          → RotationStatus   (gives it up; until the new root signs)
//   POST   /v1/identity/recovery          RecoveryRequest → IdentityHealth
//   GET    /v1/info                       → ControlInfo
//   POST   /v1/join/tokens                JoinTokenRequest → CreatedJoinTokenView
//   GET    /v1/join/tokens                → { tokens: JoinTokenView[] }
//   DELETE /v1/join/tokens/ID             → JoinTokenView
//   GET    /v1/nodes                      → { nodes: NodeView[] }
//   DELETE /v1/nodes/NAME                 → NodeView        (it has to join again)
//   GET    /v1/access/whoami              → CallerView
//   POST   /v1/access/tokens              AccessTokenRequest → CreatedAccessTokenView
//   GET    /v1/access/tokens              → { tokens: AccessTokenView[] }
//   DELETE /v1/access/tokens/ID           → AccessTokenView
//   POST   /v1/backup                     BackupRequest → newline-delimited JSON
//   POST   /v1/restore?dryRun=            newline-delimited JSON → RestoreResponse
//   GET    /v1/kinds                      → { kinds: … }
//   GET    /v1/openapi.json               → OpenAPI 3.1
//   GET    /v1/audit?refused=&limit=      → AuditPage       (newest first, of all control planes; here=true: of this one alone)
//   GET    /healthz, /metrics
//
// Beyond the socket the API is served over TLS with bearer tokens (`ripstop control --api-address`). Every route with its
// parameters, bodies and the role that it needs is in docs/reference/openapi.json (GET /v1/openapi.json).
//
// The join listener (TLS 1.3, `ripstop control --join-address`) serves hosts that cannot open the socket:
//
//   POST   /v1/join                       JoinRequest → RegisterResponse
//   POST   /v1/workloads                  RegisterRequest → RegisterResponse   (the caller's SVID is of that identity)
//   PUT, DELETE /v1/workloads/NS/INSTANCE, POST …/svid     as above, for the caller's own workload, or one of its node
//   POST   /v1/join/node                  NodeJoinRequest → NodeSvidResponse
//   POST   /v1/nodes/NAME/svid            SvidRequest → NodeSvidResponse       (the node's key is the proof)
//   GET    /v1/nodes/NAME/entries         → NodeEntries                        (the node's SVID is the proof)
//   POST   /v1/nodes/NAME/svids           WorkloadSvidRequest → SvidResponse
//   POST   /v1/nodes/NAME/jwt-svids       NodeJwtRequest → JwtSvidResponse
//   POST   /v1/nodes/NAME/workloads       NodeWorkloadRequest → RegisterResponse
//   GET    /v1/replica/proxies            → ProxyList                          (the control plane's own SVID is the proof)
//   GET    /v1/replica/revisions/N/live?waitMs= → ReplicaLive                  (likewise)
//   GET    /v1/replica/audit?refused=&limit= → AuditPage                       (likewise)

/** A file as the user gave it. The server parses it, so that all validation is in one place. */
export interface ApplyRequest {
  readonly documents: readonly { readonly file: string; readonly text: string }[];
  readonly author: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** What an apply or delete did. */
export interface ApplyResponse {
  /** Revision that now holds; 0 for a dry run. */
  readonly revision: number;
  readonly changes: readonly {
    /** "HTTPRoute shop/catalog". */
    readonly resource: string;
    readonly action: "created" | "configured" | "unchanged" | "deleted";
  }[];
}

/** Body of every answer with a status ≥ 400. */
export interface ApiError {
  readonly error: {
    readonly code: string;
    readonly title: string;
    readonly message: string;
    readonly remedy: string;
    readonly violations?: readonly {
      readonly resource: string;
      readonly path: string;
      readonly message: string;
      readonly remedy: string;
      readonly source?: { readonly file: string; readonly line: number; readonly column: number };
    }[];
  };
}

/** How far a revision has come. */
export interface LiveStatus {
  readonly revision: number;
  /** Proxies that this revision concerns. */
  readonly total: number;
  readonly live: number;
  /** Ids of the proxies that have not acknowledged yet. */
  readonly pending: readonly string[];
  /** Proxies that refused it, with their reason. */
  readonly rejected: readonly { readonly proxyId: string; readonly reason: string }[];
  /** From commit to the last acknowledgement, or until now. */
  readonly elapsedMs: number;
  /** Control planes that could not say how far their proxies are: nothing is known of those. Absent when there are none. */
  readonly unknown?: readonly UnknownReplica[];
}

/** A control plane of several of whose proxies nothing is known now. */
export interface UnknownReplica {
  readonly id: string;
  /** "HOST:PORT" of its config stream. */
  readonly streamAddress: string;
  /** Proxies that it had when it last said so. */
  readonly proxies: number;
  /** Why: one plain sentence without full stop, such as "it does not answer". */
  readonly reason: string;
}

/** How far a revision has come on the proxies of one control plane: what the others are told (join listener). */
export interface ReplicaLive {
  /** The control plane itself has come to that revision: what it has not seen is live nowhere. */
  readonly reached: boolean;
  /** Ids of the connected proxies that it concerns; those of the next two fields included. */
  readonly concerned: readonly string[];
  readonly pending: readonly string[];
  readonly rejected: readonly { readonly proxyId: string; readonly reason: string }[];
  /** From when it came here to the last acknowledgement, or until now. */
  readonly elapsedMs: number;
}

/** A committed write, as the history shows it. */
export interface RevisionView {
  readonly number: number;
  readonly author: string;
  readonly reason: string;
  readonly timeMs: number;
  readonly changes: readonly {
    /** "HTTPRoute shop/catalog". */
    readonly resource: string;
    readonly action: "created" | "configured" | "deleted";
  }[];
}

/** A part of the history, newest first. */
export interface HistoryPage {
  readonly revisions: readonly RevisionView[];
  /** Where the next page goes on (`before=`); undefined when this is the last one. */
  readonly next?: number;
  /** The oldest revision that can be compared with or rolled back to. */
  readonly oldest: number;
}

/** What differs between two states. Resources are without status; an absent side means that it did not exist there. */
export interface Diff {
  readonly from: number;
  /** 0 for a state that was not committed. */
  readonly to: number;
  readonly changes: readonly {
    readonly resource: string;
    readonly action: "created" | "configured" | "deleted";
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
}

/** Makes the state of an earlier revision the current one again, as a new revision. */
export interface RollbackRequest {
  readonly to: number;
  /** Only this resource; absent: all. */
  readonly only?: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly author: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** A new workload asks to join. */
export interface RegisterRequest {
  readonly service: string;
  readonly namespace: string;
  /** Default: the service's name. */
  readonly serviceAccount?: string;
  /** Instance name to take again, after the control plane lost this workload; default: a new one is chosen. */
  readonly instance?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly {
    /** Workload port, the one the application listens on. */
    readonly port: number;
    /** Service port that clients name; default the same. */
    readonly servicePort?: number;
    /** "auto" detects. */
    readonly protocol: "auto" | "http" | "http2" | "grpc" | "tcp" | "tls";
    /** The application wants this PROXY protocol header at the start of each connection; default none. */
    readonly proxyProtocol?: "v1" | "v2";
    /** "HOST:PORT" of the application. */
    readonly applicationAddress: string;
  }[];
  readonly csrPem: string;
  /** Process id of the supervisor, for the table. */
  readonly pid: number;
  /**
   * The workload is the placement of these Gateways of its own namespace. Only under the service account "gateway", or that
   * of the name of its one Gateway: its proxy gets their private keys.
   */
  readonly gateway?: GatewayRegistration;
}

/** How `ripstop gateway` serves its Gateways. */
export interface GatewayRegistration {
  /** Names without namespace; at least one. */
  readonly names: readonly string[];
  /** Address that the listeners bind when the Gateway asks for none (spec.addresses). */
  readonly address: string;
  /** Added to each listener's port; 0 unless the operator wants unprivileged ports. */
  readonly portOffset: number;
}

/** What the new workload needs to know. */
export interface RegisterResponse {
  /** "NAMESPACE/INSTANCE". */
  readonly workloadId: string;
  readonly spiffeId: string;
  readonly trustDomain: string;
  readonly svidChainPem: string;
  readonly bundlePem: string;
  /** Number of that bundle; grows with every change. Absent from a control plane of an older version. */
  readonly bundleSequence?: number;
  readonly controlAddresses: readonly string[];
  readonly controlIdentity: string;
  readonly leaseMs: number;
  /** There, when the mesh has several control planes. */
  readonly replicas?: ReplicaAddresses;
}

/** Where the control planes of a mesh can be reached: "HOST:PORT" of each, in no order that means anything. */
export interface ReplicaAddresses {
  /** Config streams. */
  readonly streams: readonly string[];
  /** Join listeners, whose API a workload uses by its SVID when the control plane that it talked to is gone. */
  readonly joins: readonly string[];
}

/** One of several control planes. */
export interface ReplicaView {
  readonly id: string;
  readonly version: string;
  readonly streamAddress: string;
  readonly joinAddress: string;
  readonly startedMs: number;
  readonly proxies: number;
  readonly leader: boolean;
  /** The one that answers. */
  readonly self: boolean;
}

/** Heartbeat and state. */
export interface WorkloadStatus {
  /** "HOST:PORT" of the proxy's inbound listener; "" before it listens. */
  readonly inboundAddress: string;
  /** The application accepts connections. */
  readonly ready: boolean;
  /** Number of the trust bundle that lies in the state directory. */
  readonly bundleSequence?: number;
  /** Serial number (hex, lower case) of the SVID that the proxy says it uses. */
  readonly svidSerialNumber?: string;
  /** Where listeners of its Gateways could not be opened; absent and empty: everywhere they could. */
  readonly closedPorts?: readonly ClosedGatewayPort[];
}

/** A port of a Gateway that its proxy could not open on an address. It goes on trying. */
export interface ClosedGatewayPort {
  /** Name of the Gateway, without namespace. */
  readonly gateway: string;
  /** IP address. */
  readonly address: string;
  /** Of the listener: without the offset of the operator. */
  readonly port: number;
  /** Why, in plain words. */
  readonly cause: string;
}

/** Answer to a heartbeat. */
export interface HeartbeatResponse {
  readonly leaseMs: number;
  /** There, when the workload named an older one. */
  readonly bundle?: { readonly pem: string; readonly sequence: number };
  /** The SVID is to be renewed now, because another root signs. */
  readonly renewNow?: boolean;
  /** There, when the mesh has several control planes. */
  readonly replicas?: ReplicaAddresses;
}

export interface SvidRequest {
  readonly csrPem: string;
}

export interface SvidResponse {
  readonly svidChainPem: string;
  readonly bundlePem: string;
  /** Number of that bundle; grows with every change. Absent from a control plane of an older version. */
  readonly bundleSequence?: number;
  readonly notAfterMs: number;
}

/** Asks for a JWT-SVID of a workload. */
export interface JwtSvidRequest {
  /** Who may accept it; one is best, eight are possible. */
  readonly audience: readonly string[];
  /** 10 s … 24 h; default 5 min. */
  readonly ttlMs?: number;
}

export interface JwtSvidResponse {
  readonly spiffeId: string;
  /** A bearer token: keep it secret. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** The bundles of the own and of the federated trust domains. */
export interface BundlesView {
  /** Names this state; another one after every change. */
  readonly version: string;
  /** The own one. */
  readonly trustDomain: string;
  /** SPIFFE bundle documents (JSON text) by trust domain. */
  readonly bundles: Readonly<Record<string, string>>;
}

/** A workload as tables show it. */
export interface WorkloadView {
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly version: string;
  readonly spiffeId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the Gateways that it hosts (`spec.infrastructure`); empty for other workloads. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly applicationAddress: string;
  readonly inboundAddress: string;
  readonly ready: boolean;
  readonly proxyConnected: boolean;
  /** All inbound traffic of the last minute was mutual TLS; undefined without traffic. */
  readonly mutualTls: boolean | undefined;
  readonly requests: number;
  readonly proxyResidentBytes: number;
  readonly proxyPid: number;
  readonly svidNotAfterMs: number;
  /** It came and went too often: it gets no requests until then, while enough others are there. Absent: it does. */
  readonly heldDown?: { readonly untilMs: number; readonly times: number };
}

/** The live graph of services. Rates are means over the last 10 s. */
export interface Graph {
  readonly timeMs: number;
  readonly nodes: readonly {
    /** "NAMESPACE/NAME". */
    readonly service: string;
    readonly versions: readonly string[];
    readonly workloads: number;
    readonly ready: number;
  }[];
  readonly edges: readonly {
    readonly source: string;
    readonly destination: string;
    readonly protocol: string;
    readonly mutualTls: boolean;
    readonly requestsPerSecond: number;
    /** 0 … 1, of requests that were not refused; 1 without traffic. */
    readonly successRate: number;
    readonly deniedPerSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly requestsTotal: number;
    readonly bytesPerSecond: number;
    readonly byVersion: Readonly<Record<string, number>>;
  }[];
}

/** Something that operators should know. */
export interface MeshEvent {
  /** Grows by 1; starts at 1 with the process. */
  readonly number: number;
  readonly timeMs: number;
  readonly severity: "info" | "warning" | "critical";
  /** UpperCamelCase, fixed: "RootExpiring". */
  readonly type: string;
  /** What it is about: a workload id, a SPIFFE id, a resource. */
  readonly subject: string;
  /** One sentence, with the remedy when there is one. */
  readonly message: string;
}

/** About the control plane. */
export interface ControlInfo {
  readonly version: string;
  readonly trustDomain: string;
  readonly revision: number;
  readonly proxies: number;
  readonly dashboardUrl: string;
  readonly streamAddress: string;
  /** "HOST:PORT" of the join listener; "" when there is none. */
  readonly joinAddress: string;
  readonly startedMs: number;
  /** There, when the mesh has several control planes: those that are there. */
  readonly replicas?: readonly ReplicaView[];
  /** For how long the shared store has not answered this control plane, in ms; what it says may be that old. */
  readonly cutOffMs?: number;
}

/** What proves who joins. */
export interface JoinEvidence {
  /** "token": a join token; "jwt": a signed JWT of a platform. */
  readonly type: "token" | "jwt";
  readonly text: string;
}

/** A workload joins over the network. */
export interface JoinRequest {
  readonly evidence: JoinEvidence;
  /** The joiner's wall clock; one that is more than 5 min off is refused, because its certificates would not work. */
  readonly timeMs: number;
  readonly registration: RegisterRequest;
}

/** A node's agent joins. */
export interface NodeJoinRequest {
  readonly evidence: JoinEvidence;
  readonly timeMs: number;
  /** Name of the node: its identity is spiffe://TRUST-DOMAIN/node/NAME. */
  readonly name: string;
  readonly csrPem: string;
}

/** The SVID of a node. */
export interface NodeSvidResponse extends SvidResponse {
  readonly name: string;
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** Until then the node's newest key is proof enough to come back with, its SVID expired or not. */
  readonly proofUntilMs: number;
}

/** An identity that processes of a node may have. */
export interface NodeEntry {
  /** "NAMESPACE/NAME" of the WorkloadIdentity. */
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly spiffeId: string;
  /** Every field that is given must hold. */
  readonly process: {
    readonly uid?: number;
    readonly gid?: number;
    readonly executable?: string;
    readonly sha256?: string;
    readonly cgroup?: string;
  };
}

/** What a node's agent may give to whom. */
export interface NodeEntries {
  readonly entries: readonly NodeEntry[];
  readonly bundlePem: string;
  /** SPIFFE bundle documents (JSON text) by trust domain. */
  readonly bundles: Readonly<Record<string, string>>;
  /** There, when the mesh has several control planes. */
  readonly replicas?: ReplicaAddresses;
}

/** The agent asks for an SVID of a process that fits an entry. */
export interface WorkloadSvidRequest {
  /** "NAMESPACE/NAME" of the WorkloadIdentity. */
  readonly entry: string;
  readonly csrPem: string;
}

/** The agent asks for a JWT-SVID of a process that fits an entry. */
export interface NodeJwtRequest extends JwtSvidRequest {
  /** "NAMESPACE/NAME" of the WorkloadIdentity. */
  readonly entry: string;
}

/** The agent registers a workload of its node that fits an entry. */
export interface NodeWorkloadRequest {
  /** "NAMESPACE/NAME" of the WorkloadIdentity. */
  readonly entry: string;
  readonly registration: RegisterRequest;
}

/** Whom a join token lets in. */
export interface JoinTokenRequest {
  /** Of a workload. */
  readonly namespace?: string;
  readonly serviceAccount?: string;
  /** Or a node's name. */
  readonly node?: string;
  /** 10 s … 30 d. */
  readonly ttlMs: number;
}

/** A join token, without its secret. */
export interface JoinTokenView {
  readonly id: string;
  readonly spiffeId: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  /** 0: not used yet. */
  readonly usedMs: number;
  readonly state: "ready" | "used" | "expired";
}

/** A join token that was just made. */
export interface CreatedJoinTokenView extends JoinTokenView {
  /** For its bearer; it is not to be had again. */
  readonly token: string;
  /** "HOST:PORT" where to join; "" when the control plane has no join listener. */
  readonly joinAddress: string;
}

/** A node as tables show it. */
export interface NodeView {
  readonly name: string;
  readonly spiffeId: string;
  readonly joinedMs: number;
  readonly renewedMs: number;
  readonly proofUntilMs: number;
  /** How it joined. */
  readonly method: string;
}

/** The roots of the trust domain. */
export interface TrustBundleView {
  readonly trustDomain: string;
  /** Grows with every change. */
  readonly sequence: number;
  readonly pem: string;
}

/** Starts a rotation of the root, or passes the gate at which one is held up. */
export interface RotationRequest {
  /** Passes the gate of the present phase; those that hold it up are cut off. Refused when no rotation is under way. */
  readonly force?: boolean;
}

/**
 * Phases of a root rotation. "distribute": the new root is trusted beside the old one, everyone must know it. "move":
 * the new root signs, every SVID must be of it. "withdraw": the old root is trusted no more, everyone is told.
 */
export type RotationPhase = "idle" | "distribute" | "move" | "withdraw";

/** How far a root rotation has come. */
export interface RotationStatus {
  readonly phase: RotationPhase;
  readonly bundleSequence: number;
  /** SHA-256 of the root that signs, hex. */
  readonly signingRootSha256: string;
  /** SHA-256 of the new root, hex; "" when idle. */
  readonly newRootSha256: string;
  /** 0 when idle. */
  readonly startedMs: number;
  /** When the present phase began; 0 when idle. */
  readonly phaseSinceMs: number;
  /** Workloads that the gate of the present phase waits for, the control plane itself included. */
  readonly total: number;
  /** Those of them that have passed. */
  readonly passed: number;
  /** Those that have not, the longest first. */
  readonly holding: readonly RotationHolder[];
  /** The rotation before, if there was one since the mesh was made. */
  readonly last?: {
    readonly outcome: "done" | "given up" | "recovered";
    readonly startedMs: number;
    readonly finishedMs: number;
    /** Workloads that were cut off with force. */
    readonly forced: readonly string[];
  };
}

/** Who holds a rotation up. */
export interface RotationHolder {
  readonly workloadId: string;
  readonly spiffeId: string;
  /** One plain sentence without full stop. */
  readonly reason: string;
  readonly sinceMs: number;
}

/** Makes a new root without overlap, because the old one is not valid any more. */
export interface RecoveryRequest {
  /** Also when the old root is still valid: every SVID is void at once. */
  readonly force?: boolean;
}

/** The state of the authority and of everything that it issued; `ripstop check` prints it. */
export interface IdentityHealth {
  readonly trustDomain: string;
  /** The control plane's clock. */
  readonly nowMs: number;
  /** "degraded": nothing can be issued; see the alarms. */
  readonly state: "healthy" | "degraded";
  readonly bundleSequence: number;
  readonly roots: readonly CaCertificateView[];
  readonly intermediates: readonly CaCertificateView[];
  readonly workloads: {
    readonly total: number;
    readonly expired: number;
    /** With a quarter of their life left or less: two renewals were missed. */
    readonly missedRenewals: number;
  };
  /** The worst first. */
  readonly alarms: readonly IdentityAlarm[];
}

/** A certificate of the authority. */
export interface CaCertificateView {
  readonly sha256: string;
  readonly subject: string;
  /** Hex. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** "signing", "next" (trusted, will sign), "retiring" (trusted, signs no more). */
  readonly use: "signing" | "next" | "retiring";
  /** "own", or "external" when it came in files. */
  readonly origin: "own" | "external";
}

/** Something about identity that an operator should act upon. */
export interface IdentityAlarm {
  readonly severity: "warning" | "critical";
  /** UpperCamelCase, fixed: "RootExpiring". The same as the event's. */
  readonly type: string;
  /** Trust domain, workload id or file. */
  readonly subject: string;
  /** One sentence, with the remedy. */
  readonly message: string;
}

/** What a caller of the API may do: look, change the resources of namespaces, or everything. */
export type AccessRoleName = "viewer" | "editor" | "admin";

/** POST /v1/access/tokens. */
export interface AccessTokenRequest {
  /** What it is for. */
  readonly name: string;
  readonly role: AccessRoleName;
  /** Where the role holds; absent: in the whole mesh. */
  readonly namespaces?: readonly string[];
  /** Lifetime, 1 min to 366 d. */
  readonly ttlMs: number;
}

/** A token for the API, without its secret. */
export interface AccessTokenView {
  /** Public, to name it by. */
  readonly id: string;
  readonly name: string;
  readonly role: AccessRoleName;
  readonly namespaces?: readonly string[];
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly state: "ready" | "expired";
}

/** A token that was just made. */
export interface CreatedAccessTokenView extends AccessTokenView {
  /** Its text, shown once. */
  readonly token: string;
  /** "HOST:PORT" of the API over TLS; "" when it is off. */
  readonly apiAddress: string;
}

/** GET /v1/access/whoami. */
export interface CallerView {
  readonly name: string;
  readonly method: string;
  readonly grants: readonly { readonly role: AccessRoleName; readonly namespaces?: readonly string[] }[];
}

/** One line of the audit log: a write, or a refusal. */
export interface AuditEntry {
  readonly timeMs: number;
  /** Who; "" when that is not known. */
  readonly caller: string;
  /** How it proved itself: "socket", "token", "oidc", "nobody". */
  readonly by: string;
  /** Remote address; "" for the socket. */
  readonly from: string;
  /** "POST /v1/apply". */
  readonly action: string;
  readonly decision: "done" | "refused" | "failed";
  readonly status: number;
  /** Error code of what was not done, else "". */
  readonly code: string;
  /** Why it was not done, or the reason that the caller gave. */
  readonly message: string;
  /** The revision that it made; 0 when it made none. */
  readonly revision: number;
  /** What it concerns, at most 100: "HTTPRoute shop/catalog". */
  readonly resources: readonly string[];
  /** Id of the control plane that was called; there, when the mesh has several. */
  readonly replica?: string;
}

/** GET /v1/audit. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Control planes that could not be asked for theirs. Absent when there are none. */
  readonly unknown?: readonly UnknownReplica[];
}

/** One line of GET /v1/resources?watch=true. */
export interface WatchLine {
  /** BOOKMARK says only how far the watch is. */
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  /** Watching again after this revision misses nothing. */
  readonly revision: number;
  readonly resource?: unknown;
}

/** POST /v1/backup. */
export interface BackupRequest {
  /** Takes the keys of the authority along, encrypted with it; on the socket only. */
  readonly passphrase?: string;
}

/** POST /v1/restore. */
export interface RestoreResponse {
  /** The revision that holds now; 0 for a dry run. */
  readonly revision: number;
  /** The revision before. */
  readonly from: number;
  /** Revocations of the backup that were not in force any more. */
  readonly revoked: number;
  readonly changes: Diff["changes"];
}

/**
 * One entry of `GET /v1/egress`: calls of a host outside the mesh that no ExternalService declares, or that went through a
 * Gateway.
 */
export interface EgressSeenView {
  /** "NAMESPACE/NAME" of the calling service. */
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** "http": `count` is of requests; "tcp": of connections. */
  readonly protocol: "http" | "tcp";
  /** Since the control plane started. */
  readonly count: number;
  /** How many of them were refused. */
  readonly denied: number;
  /** "NAMESPACE/NAME" of the Gateway that the calls went through; absent: they went directly, undeclared. */
  readonly gateway?: string;
  /** Unix time. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

/** One entry of `GET /v1/mirrors`: how a mirror compares with the service that it shadows, since the control plane started. */
export interface MirrorView {
  /** "NAMESPACE/NAME" of the calling service. */
  readonly source: string;
  /** Who answered the caller. */
  readonly primary: string;
  /** Who got copies. */
  readonly mirror: string;
  /** Requests that both have answered, or failed to. */
  readonly compared: number;
  readonly statusDiffers: number;
  /** Bodies are looked at for a part of the requests. */
  readonly bodiesCompared: number;
  readonly bodiesDiffer: number;
  /** 5xx, or no answer. */
  readonly primaryFailures: number;
  readonly mirrorFailures: number;
  readonly primaryP50Ms: number;
  readonly primaryP99Ms: number;
  readonly mirrorP50Ms: number;
  readonly mirrorP99Ms: number;
}
