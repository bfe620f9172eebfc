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
    what: "depth limit of documents",
    file: `${RESOURCES}source-document.js`,
    function: "firstTooDeep",
    without: "{ return undefined; }",
    tests: [`${RESOURCES}source-document.test.js`],
  },
  {
    what: "visibility of workloads to proxies",
    file: `${CONTROL}compile/compiler.js`,
    function: "maySee",
    without: "{ return true; }",
    tests: [`${CONTROL}compile/compiler.test.js`],
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
    file: `${DISCOVERY}server/discovery-server.js`,
    function: "Endpoint.#authorize",
    without: "{ return true; }",
    tests: [`${DISCOVERY}stream.test.js`],
  },
  {
    what: "client certificates at the stream endpoint",
    file: `${DISCOVERY}server/live-credentials.js`,
    function: "LiveCredentials.constructor",
    without: "{ super({}, contextOf(tls)); }",
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
];
