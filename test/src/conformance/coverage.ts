// What the suite must cover: the tests of the Gateway API's own suite (main, commit 4564255, August 2026), by name, the
// features by profile, and the number of rules that implementations commonly get wrong.

/** The release whose schemas and features Ripstop claims. */
export const GATEWAY_API = "v1.6.1";

/** Rules 1 ... 35: docs/conformance.md lists the cases of each. */
export const RULES = 35;

const names = (prefix: string, list: string): readonly string[] =>
  list
    .split(/\s+/)
    .filter((name) => name !== "")
    .map((name) => `${prefix}${name}`);

/** The tests of the Gateway API's own suite. */
export const UPSTREAM_TESTS: readonly string[] = [
  ...names(
    "Gateway",
    `ModifyListeners ObservedGenerationBump ClassObservedGenerationBump InvalidRouteKind ListenerUnsupportedProtocol
    InvalidTLSConfiguration InvalidParametersRef SecretMissingReferenceGrant SecretInvalidReferenceGrant
    SecretReferenceGrantAllInNamespace SecretReferenceGrantSpecific WithAttachedRoutes WithAttachedRoutesWithPort8080
    StaticAddresses OptionalAddressValue Infrastructure NameMaximumLength TLSBackendClientCertificate
    InvalidTLSBackendConfiguration FrontendClientCertificateValidation FrontendClientCertificateValidationInsecureFallback
    InvalidFrontendClientCertificateValidation FrontendInvalidDefaultClientCertificateValidation HTTPListenerIsolation`,
  ),
  ...names(
    "HTTPRoute",
    `HTTPSListener HTTPSListenerDetectMisdirectedRequests
    ExactPathMatching Matching MatchingAcrossRoutes PathMatchOrder HeaderMatching MethodMatching QueryParamMatching
    ListenerHostnameMatching ListenerPortMatching HostnameIntersection MultipleGateways NamedRule
    SimpleSameNamespace CrossNamespace DisallowedKind InvalidCrossNamespaceParentRef InvalidParentRefNotMatchingSectionName
    InvalidParentRefNotMatchingListenerPort InvalidParentRefSectionNameNotMatchingPort InvalidBackendRefUnknownKind
    InvalidNonExistentBackendRef InvalidCrossNamespaceBackendRef InvalidReferenceGrant
    PartiallyInvalidViaInvalidReferenceGrant ReferenceGrant NoBackendRefs ObservedGenerationBump ServiceTypes
    RequestHeaderModifier ResponseHeaderModifier BackendRequestHeaderModifier RequestHeaderModifierBackendWeights
    RedirectHostAndStatus RedirectPath RedirectPort RedirectScheme RedirectPortAndScheme 303Redirect 307Redirect 308Redirect
    RewriteHost RewritePath BackendURLRewrite BackendRequestRedirect RequestMirror RequestMultipleMirrors
    RequestPercentageMirror CORS Weight TimeoutRequest TimeoutBackendRequest Retry RetryConnectionError RetryWithTimeouts
    BackendProtocolH2C BackendProtocolWebSocket`,
  ),
  "BackendTLSPolicy",
  ...names(
    "BackendTLSPolicy",
    "SANValidation ConflictResolution InvalidCACertificateRef InvalidKind ObservedGenerationBump GRPCRoute TLSRouteTerminate",
  ),
  ...names(
    "ListenerSet",
    `AllowedNamespaceNone AllowedNamespaceSame AllowedNamespaceSelector DefaultNotAllowed AllowedRoutesNamespaces
    AllowedRoutesSupportedKinds DualParentRefIndependence GatewayParentSectionNameNotFound HostnameConflict ProtocolConflict
    HTTPRouting ReferenceGrant RouteStatusScopedToParentRef`,
  ),
  ...names("GRPCRoute", "HeaderMatching ListenerHostnameMatching Weight NamedRule RequestHeaderModifier"),
  "GRPCExactMethodMatching",
  ...names(
    "TLSRoute",
    `HostnameIntersection InvalidBackendRefNonexistent InvalidBackendRefUnknownKind InvalidNoMatchingListener
    InvalidNoMatchingListenerHostname InvalidReferenceGrant ListenerMixedTerminationNotSupported
    ListenerPassthroughSupportedKinds ListenerTerminateNotSupported ListenerTerminateSupportedKinds SimpleSameNamespace
    TerminateSimpleSameNamespace MixedTerminationSameNamespace`,
  ),
  ...names(
    "TCPRoute",
    `InvalidBackendRefNonexistent InvalidCrossNamespaceBackendRef InvalidNonTCPListener MultipleRoutesAttachment
    ParentRefAttachAll ParentRefPortAndSectionName ReferenceGrant WeightedRouting`,
  ),
  "UDPRoute",
  ...names(
    "UDPRoute",
    `InvalidBackendRefNonexistent InvalidCrossNamespaceBackendRef NotAllowedByListeners MultipleRoutesAttachment
    ParentRefAttachAllListeners ParentRefPortAndSectionName ReferenceGrant WeightedRouting`,
  ),
  ...names(
    "Mesh",
    `Basic Frontend FrontendHostname Ports TrafficSplit ConsumerRoute
    HTTPRouteSimpleSameNamespace HTTPRouteMatching HTTPRouteQueryParamMatching HTTPRouteRequestHeaderModifier
    HTTPRouteBackendRequestHeaderModifier HTTPRouteRewritePath HTTPRouteRedirectHostAndStatus HTTPRouteRedirectPath
    HTTPRouteRedirectPort HTTPRouteSchemeRedirect HTTPRoute303Redirect HTTPRoute307Redirect HTTPRoute308Redirect
    HTTPRouteNamedRule HTTPRouteWeight GRPCRouteWeight GRPCRouteRequestHeaderModifier`,
  ),
];

const GATEWAY_FEATURES: readonly string[] = [
  ...names(
    "Gateway",
    `Port8080 StaticAddresses HTTPListenerIsolation HTTPSListenerDetectMisdirectedRequests InfrastructurePropagation AddressEmpty
    BackendClientCertificate FrontendClientCertificateValidation FrontendClientCertificateValidationInsecureFallback`,
  ),
  "ListenerSet",
];

/** The profiles with their features; a feature is named with the first profile that has it. */
export const PROFILES: readonly { readonly profile: string; readonly features: readonly string[] }[] = [
  { profile: "All gateways", features: ["Gateway", "ReferenceGrant", ...GATEWAY_FEATURES] },
  {
    profile: "GATEWAY-HTTP",
    features: [
      "HTTPRoute",
      ...names(
        "HTTPRoute",
        `BackendRequestHeaderModification QueryParamMatching MethodMatching ResponseHeaderModification PortRedirect
        SchemeRedirect PathRedirect HostRewrite PathRewrite RequestMirror RequestMultipleMirrors RequestPercentageMirror
        RequestTimeout BackendTimeout ParentRefPort BackendProtocolH2C BackendProtocolWebSocket NamedRouteRule CORS
        303RedirectStatusCode 307RedirectStatusCode 308RedirectStatusCode DestinationPortMatching Retry RetryBackendTimeout
        RetryConnectionError BackendURLRewrite BackendRequestRedirect`,
      ),
      "BackendTLSPolicy",
      "BackendTLSPolicySANValidation",
    ],
  },
  { profile: "GATEWAY-GRPC", features: ["GRPCRoute", "GRPCRouteNamedRouteRule", "GRPCRouteRequestHeaderModifier"] },
  { profile: "GATEWAY-TLS", features: ["TLSRoute", "TLSRouteModeTerminate", "TLSRouteModeMixed"] },
  { profile: "GATEWAY-TCP, GATEWAY-UDP", features: ["TCPRoute", "UDPRoute"] },
  {
    profile: "MESH-HTTP, MESH-GRPC",
    features: [
      "Mesh",
      "MeshClusterIPMatching",
      "MeshConsumerRoute",
      ...names(
        "MeshHTTPRoute",
        "RewritePath SchemeRedirect RedirectPort RedirectPath BackendRequestHeaderModification QueryParamMatching NamedRouteRule",
      ),
    ],
  },
];

/** Features that are later than `GATEWAY_API`: shown, and not claimed. */
export const NEWER_FEATURES: ReadonlySet<string> = new Set([
  "GRPCRouteRequestHeaderModifier",
  "HTTPRouteBackendURLRewrite",
  "HTTPRouteBackendRequestRedirect",
]);

/** Where features stand that no profile has: GEPs without a feature name of their own. Never claimed. */
export const NO_PROFILE = "In no profile";
