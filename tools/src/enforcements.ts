// What must never be missing: each line is a function that refuses something, and the tests that notice when it does not.

/** One enforcement. Paths are relative to the checkout, of compiled files. */
export interface Enforcement {
  /** For the report: "peer verification". */
  readonly what: string;
  readonly file: string;
  /** "name" or "Class.name". */
  readonly function: string;
  /** The body that enforces nothing. */
  readonly without: string;
  readonly tests: readonly string[];
}

const AUTHORIZATION = "packages/policies/dist/authorization/";
const HTTP_ROUTE = "packages/policies/dist/http-route/";
const RESOURCES = "packages/resources/dist/";
const CONTROL = "packages/control-engine/dist/";
const DISCOVERY = "packages/discovery/dist/";
const IDENTITY = "packages/identity/dist/";
const NET = "packages/net/dist/";
const ROUTING = "packages/routing/dist/";
const ENGINE = "packages/proxy-engine/dist/";
const HTTP2 = "packages/http2/dist/";

/** Every one of them. */
export const enforcements: readonly Enforcement[] = [
  {
    what: "the authorization filter",
    file: `${AUTHORIZATION}filter.js`,
    function: "AuthorizationFilter.onRequest",
    without: "{ return undefined; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "matching of callers",
    file: `${AUTHORIZATION}rule-matcher.js`,
    function: "IdentityField.holds",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "matching of methods",
    file: `${AUTHORIZATION}rule-matcher.js`,
    function: "MethodField.holds",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "matching of paths",
    file: `${AUTHORIZATION}rule-matcher.js`,
    function: "PathField.holds",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "matching of hosts",
    file: `${AUTHORIZATION}rule-matcher.js`,
    function: "HostField.holds",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "matching of ports",
    file: `${AUTHORIZATION}rule-matcher.js`,
    function: "PortField.holds",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "whole segments of path prefixes",
    file: `${AUTHORIZATION}path-forms.js`,
    function: "isAtOrBelow",
    without: "{ return path.startsWith(prefix); }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "other spellings of denied paths",
    file: `${AUTHORIZATION}path-forms.js`,
    function: "toLoosePath",
    without: "{ return path; }",
    tests: [`${AUTHORIZATION}filter.test.js`],
  },
  {
    what: "choice of guarded workloads",
    file: `${AUTHORIZATION}compile.js`,
    function: "appliesToWorkload",
    without: "{ return true; }",
    tests: [`${AUTHORIZATION}compile.test.js`],
  },
  {
    what: "validation of AuthorizationPolicy",
    file: `${AUTHORIZATION}validate.js`,
    function: "validateAuthorization",
    without: "{ return []; }",
    tests: [`${AUTHORIZATION}validate.test.js`],
  },
  {
    what: "validation of HTTPRoute",
    file: `${HTTP_ROUTE}validate.js`,
    function: "validateHttpRoute",
    without: "{ return []; }",
    tests: [`${HTTP_ROUTE}validate.test.js`],
  },
  {
    what: "precedence of route matches",
    file: `${HTTP_ROUTE}precedence.js`,
    function: "compareMatches",
    without: "{ return 0; }",
    tests: [`${HTTP_ROUTE}compile.test.js`],
  },
  {
    what: "attachment of routes to a Service",
    file: `${HTTP_ROUTE}compile.js`,
    function: "attachments",
    without: "{ return [{ route, ports: undefined }]; }",
    tests: [`${HTTP_ROUTE}compile.test.js`],
  },
  {
    what: "refusal of unknown fields",
    file: `${RESOURCES}schema.js`,
    function: "close",
    without: "{ return schema; }",
    tests: [`${RESOURCES}schema.test.js`],
  },
  {
    what: "limits on depth and entries of documents",
    file: `${RESOURCES}source-document.js`,
    function: "firstExcess",
    without: "{ return undefined; }",
    tests: [`${RESOURCES}source-document.test.js`],
  },
  {
    what: "visibility of workloads to proxies",
    file: `${CONTROL}compile/may-see.js`,
    function: "maySee",
    without: "{ return true; }",
    tests: [`${CONTROL}compile/may-see.test.js`],
  },
  {
    what: "own host name of the dashboard",
    file: `${CONTROL}api/api-server.js`,
    function: "isOwnHost",
    without: "{ return true; }",
    tests: [`${CONTROL}control.test.js`],
  },
  {
    what: "one control plane per home",
    file: `${CONTROL}home/home-lock.js`,
    function: "lockHome",
    without: "{ return { ok: true, value: { release() {} } }; }",
    tests: [`${CONTROL}home/home-lock.test.js`],
  },
  {
    what: "hold of a mass expiry",
    file: `${CONTROL}registry/mass-expiry.js`,
    function: "massExpiry",
    without: "{ return { gone: silent, held: [] }; }",
    tests: [`${CONTROL}registry/registry.test.js`],
  },
  {
    what: "optimistic concurrency of the store",
    file: `${CONTROL}store/plan-commit.js`,
    function: "lostAgainst",
    without: "{ return undefined; }",
    tests: [`${CONTROL}store/store.test.js`],
  },
  {
    what: "identity of the control plane",
    file: `${DISCOVERY}client/control-connection.js`,
    function: "ControlConnection.#peerProblem",
    without: "{ return undefined; }",
    tests: [`${DISCOVERY}stream.test.js`],
  },
  {
    what: "ownership of a proxy id",
    file: `${DISCOVERY}server/admission.js`,
    function: "Admission.authorize",
    without: "{ return true; }",
    tests: [`${DISCOVERY}stream.test.js`],
  },
  {
    what: "client certificates at the stream endpoint",
    file: `${DISCOVERY}server/tls-listener.js`,
    function: "TlsListener.constructor",
    without:
      "{ this.#tls = createTlsServer({ ...contextOf(options.tls), ALPNProtocols: ['h2'] }); " +
      "this.#queue = new HandshakeQueue({ ...options, begin: (socket) => this.#begin(socket) }); " +
      "this.#tls.on('secureConnection', (socket) => { const raw = this.#shaking.get(endOf(socket)); if (raw) this.#over(raw); " +
      "socket.on('error', () => socket.destroy()); options.onConnection(socket); }); " +
      "this.#server = createServer((socket) => this.#queue.add(socket)); }",
    tests: [`${DISCOVERY}server/discovery-server.test.js`],
  },
  {
    what: "request budget of a config stream",
    file: `${DISCOVERY}server/request-budget.js`,
    function: "RequestBudget.spend",
    without: "{ return true; }",
    tests: [`${DISCOVERY}server/discovery-server.test.js`],
  },
  {
    what: "names that a signing request may ask for",
    file: `${IDENTITY}authority/csr-check.js`,
    function: "checkExtension",
    without: "{ return { ok: true, value: undefined }; }",
    tests: [`${IDENTITY}authority/csr-check.test.js`],
  },
  {
    what: "attributes of a signing request",
    file: `${IDENTITY}authority/csr-check.js`,
    function: "checkWishes",
    without: "{ return { ok: true, value: undefined }; }",
    tests: [`${IDENTITY}authority/csr-check.test.js`],
  },
  {
    what: "syntax of SPIFFE ids",
    file: `${IDENTITY}spiffe-id.js`,
    function: "parseSpiffeId",
    without: '{ return { ok: true, value: { uri: text, trustDomain: "", path: "" } }; }',
    tests: [`${IDENTITY}spiffe-id.test.js`],
  },
  {
    what: "peer verification after the handshake",
    file: `${NET}tls/accept-peer.js`,
    function: "check",
    without: `{
      const leaf = socket.getPeerX509Certificate() ?? rules.sessionLeaf;
      const verdict = rules.verifyPeer(leaf);
      return { info: { version: "TLSv1.3", cipher: "", alpn: rules.alpn, serverName, peerId: verdict.id ?? "", resumed: socket.isSessionReused() }, leaf };
    }`,
    tests: [`${NET}tls/tls-peers.test.js`],
  },
  {
    what: "the rules for a peer's leaf certificate",
    file: `${IDENTITY}peer-verification.js`,
    function: "verifyFields",
    without: "{ return verifyName(fields.uriNames); }",
    tests: [`${IDENTITY}peer-verification.test.js`],
  },
  {
    what: "exactly one SPIFFE id in a certificate",
    file: `${IDENTITY}peer-verification.js`,
    function: "verifyName",
    without: '{ return { ok: true, id: uriNames[0] ?? "", trustDomain: "" }; }',
    tests: [`${IDENTITY}peer-verification.test.js`],
  },
  {
    what: "route matches",
    file: `${ROUTING}port-matcher.js`,
    function: "Rule.matches",
    without: "{ return true; }",
    tests: [`${ROUTING}port-matcher.test.js`],
  },
  {
    what: "path matches of routes",
    file: `${ROUTING}port-matcher.js`,
    function: "Rule.#matchesPath",
    without: "{ return true; }",
    tests: [`${ROUTING}port-matcher.test.js`],
  },
  {
    what: "host matches of routes",
    file: `${ROUTING}port-matcher.js`,
    function: "Rule.#matchesHost",
    without: "{ return true; }",
    tests: [`${ROUTING}port-matcher.test.js`],
  },
  {
    what: "weights of backends",
    file: `${ROUTING}choose-backend.js`,
    function: "chooseBackend",
    without: "{ return 0; }",
    tests: [`${ROUTING}port-matcher.test.js`],
  },
  {
    what: "one canonical path for match, log and forward",
    file: `${ENGINE}5-filter/canonical-path.js`,
    function: "canonicalTarget",
    without: "{ return target; }",
    tests: [`${ENGINE}5-filter/canonical-path.test.js`],
  },
  {
    what: "policies on requests between proxies",
    file: `${ENGINE}5-filter/policy-chain.js`,
    function: "PolicyChain.judge",
    without: "{ return undefined; }",
    tests: [`${ENGINE}proxy-policies.test.js`],
  },
  {
    what: "budgets of HTTP/2 floods, the reset budget among them",
    file: `${HTTP2}connection-state.js`,
    function: "ConnectionState.spend",
    without: "{ return true; }",
    tests: [`${ENGINE}attacks-http2.test.js`],
  },
  {
    what: "the budget of HTTP/2 stream resets",
    file: `${HTTP2}control-receiver.js`,
    function: "ControlReceiver.#onRstStream",
    without: `{
      const state = this.#state;
      const stream = state.streams.get(streamId);
      if (stream === undefined) return void state.ignoresClosed(streamId, FrameType.RST_STREAM);
      state.endEarly(stream, PastStream.RESET_BY_PEER, readU32(buf, start), "reset");
    }`,
    tests: [`${ENGINE}attacks-http2.test.js`],
  },
  {
    what: "the budget of empty HTTP/2 frames",
    file: `${HTTP2}connection.js`,
    function: "Dispatcher.onIdleFrame",
    without: '{ if (unknown) this.#state.spend(this.#state.control, "control frames"); }',
    tests: [`${ENGINE}attacks-http2.test.js`],
  },
  {
    what: "the deadline of a gRPC call at the server's side",
    file: `${ENGINE}7-connect/inbound-exchange.js`,
    function: "InboundExchange.#watchDeadline",
    without: "{ }",
    tests: [`${ENGINE}proxy-grpc.test.js`],
  },
  {
    what: "sessions that are resumed by the workload that made them alone",
    file: `${NET}tls/tls-client.js`,
    function: "sessionKeyOf",
    without: "{ return `${options.serverName} ${options.expectedPeerId}`; }",
    tests: [`${ENGINE}node-proxy.test.js`],
  },
  {
    what: "identity: nothing is issued to the revoked",
    file: `${CONTROL}identity/revocations.js`,
    function: "Revocations.find",
    without: "{ return undefined; }",
    tests: [`${CONTROL}identity/revocations.test.js`],
  },
  {
    what: "identity: the gate of a root rotation before the new root signs",
    file: `${CONTROL}identity/rotation-gate.js`,
    function: "notTold",
    without: "{ return undefined; }",
    tests: [`${CONTROL}identity/rotation-gate.test.js`],
  },
  {
    what: "identity: the gate of a root rotation before the old root goes",
    file: `${CONTROL}identity/rotation-gate.js`,
    function: "notMoved",
    without: "{ return undefined; }",
    tests: [`${CONTROL}identity/rotation-gate.test.js`],
  },
  {
    what: "identity: routes of the join listener for the workload itself",
    file: `${CONTROL}join/join-routes.js`,
    function: "JoinRoutes.guarded",
    without: "{ return handler; }",
    tests: [`${CONTROL}join/join.test.js`],
  },
  {
    what: "Gateway API: rules of the published schemas",
    file: `${RESOURCES}structural-rules.js`,
    function: "brokenRules",
    without: "{ return []; }",
    tests: [`${RESOURCES}structural-rules.test.js`, "packages/policies/dist/published-examples.test.js"],
  },
  {
    what: "Gateway API: references to other namespaces need a grant",
    file: "packages/policies/dist/reference-grant/index.js",
    function: "isGranted",
    without: "{ return true; }",
    tests: [`${CONTROL}compile/gateways.test.js`],
  },
  {
    what: "Gateway API: listeners that cannot be told apart",
    file: "packages/policies/dist/gateway/conflicts.js",
    function: "findConflicts",
    without: "{ return []; }",
    tests: [`${CONTROL}compile/gateways.test.js`],
  },
  {
    what: "Gateway API: namespaces that may attach",
    file: "packages/policies/dist/gateway/judge.js",
    function: "isNamespaceAllowed",
    without: "{ return true; }",
    tests: [`${CONTROL}compile/gateways.test.js`],
  },
  {
    what: "answers without the data of Secrets",
    file: `${RESOURCES}as-document.js`,
    function: "redacted",
    without: "{ return resource; }",
    tests: [`${RESOURCES}kinds/secret/secret.test.js`, `${CONTROL}api/secrets.test.js`],
  },
];
