// Errors that the proxy itself answers with, RS10xx.

import { defineError, type ErrorKind } from "@ripstop/core";

export const connectFailed: ErrorKind = defineError({
  code: "RS1001",
  name: "connect_failed",
  status: 503,
  grpcStatus: 14,
  title: "No connection to the service could be made",
  cause: "The instance has just gone, its proxy is not running, or a firewall is in between.",
  remedy: "See `ripstop describe` of the service for its instances; the message names the address and the cause.",
});

export const noRouteMatched: ErrorKind = defineError({
  code: "RS1002",
  name: "no_route_matched",
  status: 404,
  grpcStatus: 12,
  title: "No route of the service matches the request",
  cause: "The service has routes attached, and none of their rules matches this method, path, header or query.",
  remedy: "Add a rule that matches, or a last rule without matches that takes all the rest.",
});

export const noHealthyEndpoint: ErrorKind = defineError({
  code: "RS1003",
  name: "no_healthy_endpoint",
  status: 503,
  grpcStatus: 14,
  title: "The service has no healthy instance",
  cause: "No instance is registered, or none of them accepts connections yet.",
  remedy:
    "Start an instance with `ripstop run --service NAME`, and see `ripstop status` for why the others are not ready.",
});

export const invalidBackend: ErrorKind = defineError({
  code: "RS1004",
  name: "invalid_backend",
  status: 500,
  grpcStatus: 13,
  title: "The route leads to a backend that does not exist",
  cause: "A backendRef of the route names a service or port that is not there, or the rule has no backends.",
  remedy: "Correct the backendRef; `ripstop describe` of the route shows which one and why.",
});

export const requestTimedOut: ErrorKind = defineError({
  code: "RS1005",
  name: "request_timed_out",
  status: 504,
  grpcStatus: 4,
  title: "The request took longer than its time-out",
  cause: "The service was too slow for the time-out of the route.",
  remedy: "Make the service answer sooner, or raise `timeouts` of the route.",
});

export const upstreamReset: ErrorKind = defineError({
  code: "RS1006",
  name: "upstream_reset",
  status: 502,
  grpcStatus: 14,
  title: "The service broke the connection before it had answered",
  cause: "The application crashed, was restarted, or closed the connection in the middle of the exchange.",
  remedy: "Look at the application's log at this time; the message says how the connection ended.",
});

export const configNotReceived: ErrorKind = defineError({
  code: "RS1007",
  name: "config_not_received",
  status: 503,
  grpcStatus: 14,
  title: "The proxy has no config for this service yet",
  cause:
    "The control plane is away and the proxy never used this service before, so that its cache does not have it either.",
  remedy: "Check that the control plane runs (`ripstop status`), then try again.",
});

export const unknownHost: ErrorKind = defineError({
  code: "RS1008",
  name: "unknown_host",
  status: 502,
  grpcStatus: 14,
  title: "The host is neither a service of the mesh nor reachable outside of it",
  cause: "The name is misspelt, the service is not registered in this namespace, or the outside host is down.",
  remedy: "`ripstop get services` lists the names; use NAME for your own namespace and NAME.NAMESPACE for another.",
});

export const unknownServicePort: ErrorKind = defineError({
  code: "RS1009",
  name: "unknown_service_port",
  status: 502,
  grpcStatus: 14,
  title: "The service does not have this port",
  cause: "The client asks for a port that the service does not declare.",
  remedy: "Use one of the ports that the message lists, or declare the port.",
});

export const invalidPath: ErrorKind = defineError({
  code: "RS1010",
  name: "invalid_path",
  status: 400,
  grpcStatus: 3,
  title: "The path can be read in more than one way",
  cause:
    "It holds an encoded slash or backslash, an encoded control character, a fragment, or dots that lead above the root.",
  remedy: "Send the path in plain form.",
});

export const policyNotInForce: ErrorKind = defineError({
  code: "RS1011",
  name: "policy_not_in_force",
  status: 503,
  grpcStatus: 14,
  title: "The policies that guard this workload are not in force yet, so nothing is let through",
  cause: "The proxy has just started, or a policy came that it cannot read.",
  remedy: "Wait for the proxy to be ready; if it stays so, the message names the policy that is missing.",
});

export const portNotServed: ErrorKind = defineError({
  code: "RS1012",
  name: "port_not_served",
  status: 502,
  grpcStatus: 14,
  title: "The workload does not serve this port",
  cause: "The service's port leads to a port that the workload never declared.",
  remedy: "Correct the target port of the service, or the ports of the workload.",
});

export const applicationUnreachable: ErrorKind = defineError({
  code: "RS1013",
  name: "application_unreachable",
  status: 503,
  grpcStatus: 14,
  title: "The application does not accept connections",
  cause: "It is not listening on its port (yet, or any more).",
  remedy: "Look whether the application is running and listens on the address that the message names.",
});

export const proxyLoop: ErrorKind = defineError({
  code: "RS1014",
  name: "proxy_loop",
  status: 508,
  grpcStatus: 13,
  title: "The request leads back to the proxy itself",
  cause: "The address in the request is one of the proxy's own listeners.",
  remedy: "Use the name of the service in place of the proxy's address.",
});

export const tooManyWaiting: ErrorKind = defineError({
  code: "RS1015",
  name: "too_many_waiting",
  status: 503,
  grpcStatus: 8,
  title: "Too many requests are waiting for a connection or for config",
  cause: "The service is slower than requests arrive, or its config does not come.",
  remedy: "Add instances; clients should slow down and try again later.",
});

export const missingHost: ErrorKind = defineError({
  code: "RS1016",
  name: "missing_host",
  status: 400,
  grpcStatus: 3,
  title: "The request does not say which host it is for",
  cause: "It has neither an absolute target nor a Host field.",
  remedy: "Send the full address to the proxy: GET http://SERVICE/PATH.",
});

export const tunnelRefused: ErrorKind = defineError({
  code: "RS1017",
  name: "tunnel_refused",
  status: 403,
  grpcStatus: 7,
  title: "A raw connection to a port that speaks HTTP is not let through",
  cause: "The port is declared as HTTP, so its policies look at requests; raw bytes would pass them by.",
  remedy: "Speak HTTP to this port, or declare its protocol as tcp.",
});

export const tooManyExchanges: ErrorKind = defineError({
  code: "RS1019",
  name: "too_many_exchanges",
  status: 503,
  grpcStatus: 8,
  title: "The proxy has too many requests under way",
  cause: "More is asked of this proxy than its limits allow.",
  remedy: "Add instances, or slow the clients down.",
});

export const traceRefused: ErrorKind = defineError({
  code: "RS1020",
  name: "trace_refused",
  status: 501,
  grpcStatus: 12,
  title: "The proxy does not answer TRACE itself, and passes no TRACE with a body on",
  cause: "The request says Max-Forwards: 0, or it has a body, which TRACE cannot have (RFC 9110 section 9.3.8).",
  remedy: "Send TRACE without a body and with a higher Max-Forwards, or ask the service in another way.",
});

export const httpsInClear: ErrorKind = defineError({
  code: "RS1021",
  name: "https_in_clear",
  status: 400,
  grpcStatus: 3,
  title: "An https address outside of the mesh is not fetched without encryption",
  cause:
    "The client sent GET with an https:// address to the proxy in clear text instead of opening a tunnel with CONNECT.",
  remedy: "Set the proxy for https in the client, so that it uses CONNECT.",
});

export const tunnelsOnly: ErrorKind = defineError({
  code: "RS1022",
  name: "tunnels_only",
  status: 400,
  grpcStatus: 3,
  title: "A connection without a server name carries tunnels only",
  cause: "The peer sent a request where only HBONE tunnels (CONNECT HOST:PORT) are served.",
  remedy: "Open a tunnel to the workload's address and port, and send the request inside of it.",
});

export const wrongDestination: ErrorKind = defineError({
  code: "RS1023",
  name: "wrong_destination",
  status: 421,
  grpcStatus: 5,
  title: "The tunnel is for another workload",
  cause: "The host in the CONNECT is neither the address of this proxy nor a name of its workload.",
  remedy: "Name the address that the connection was made to, or SERVICE.NAMESPACE, with the workload's port.",
});

export const originRefused: ErrorKind = defineError({
  code: "RS1040",
  name: "origin_refused",
  status: 403,
  grpcStatus: 7,
  title: "Pages of this origin may not ask the service",
  cause: "The CORS filter of the route does not list the Origin of the preflight request.",
  remedy: "Add the origin to allowOrigins of the route's CORS filter, if its pages are to be let in.",
});

export const noSuchSubset: ErrorKind = defineError({
  code: "RS1065",
  name: "no_such_subset",
  status: 503,
  grpcStatus: 14,
  title: "No instance is of the subset that the request asks for",
  cause:
    "The LoadBalancingPolicy of the service refuses requests that name a value which no usable instance has as a label.",
  remedy: "Name another value in the header, start an instance with that label, or set subsets.unknown to Any.",
});

export const egressDenied: ErrorKind = defineError({
  code: "RS1085",
  name: "egress_denied",
  status: 403,
  grpcStatus: 7,
  title: "The host is outside the mesh, and calls to the outside must be declared",
  cause: "The Namespace of the caller, or ripstop-system for the whole mesh, has the label ripstop.mesh/egress: deny.",
  remedy: "Declare the host with an ExternalService; `ripstop egress seen` lists what was called.",
});

export const noEgressGateway: ErrorKind = defineError({
  code: "RS1086",
  name: "no_egress_gateway",
  status: 503,
  grpcStatus: 14,
  title: "The Gateway through which the host is reached has no proxy",
  cause:
    "An ExternalService, or the label ripstop.mesh/egress-gateway of a Namespace, leads calls of the host through a Gateway. No proxy of it is ready, or it has no usable listener with protocol ripstop.mesh/Egress. Such calls never go out directly.",
  remedy:
    "Start the Gateway's proxy with `ripstop gateway`; the conditions of the ExternalService and Gateway say more.",
});

export const egressNotLed: ErrorKind = defineError({
  code: "RS1087",
  name: "egress_not_led",
  status: 403,
  grpcStatus: 7,
  title: "The Gateway does not lead the caller out to this host",
  cause:
    "No ExternalService that is for the caller's namespace has the host and leads it through this Gateway; or the Gateway's listener takes none of that namespace (allowedRoutes); or the caller is of another trust domain.",
  remedy: "Declare the host with an ExternalService that names the Gateway, and let its namespace in at the listener.",
});

export const misdirected: ErrorKind = defineError({
  code: "RS1050",
  name: "misdirected",
  status: 421,
  grpcStatus: 5,
  title: "The connection is for another host",
  cause:
    "The request names a host of another listener than the server name of its TLS connection chose (RFC 9110 15.5.20).",
  remedy: "Nothing as a rule: clients open a connection of its own for the host. If not, do not share the certificate.",
});

export const noListener: ErrorKind = defineError({
  code: "RS1051",
  name: "no_listener",
  status: 404,
  grpcStatus: 12,
  title: "The gateway does not serve this host",
  cause: "No listener of the Gateway on this port has a hostname that fits the request's host.",
  remedy: "Add a listener for the host, or remove the hostname of one that is for all.",
});

export const noTunnels: ErrorKind = defineError({
  code: "RS1052",
  name: "no_tunnels",
  status: 405,
  grpcStatus: 12,
  title: "The gateway is no forward proxy",
  cause: "The client sent CONNECT to a listener of a Gateway.",
  remedy: "Ask for the service itself; for a way out of the mesh use an egress resource.",
});

export const gatewayPortClosed: ErrorKind = defineError({
  code: "RS1053",
  name: "gateway_port_closed",
  status: 500,
  grpcStatus: 13,
  title: "A listener of a Gateway could not be opened; it is tried again until it can",
  cause:
    "The address is not one of this machine, the port is taken, or it is below 1024 and the process may not open it.",
  remedy:
    "For ports below 1024: run with --port-offset (8000 makes 80 into 8080), or allow it: setcap cap_net_bind_service=+ep on node, or sysctl net.ipv4.ip_unprivileged_port_start=80.",
});

export const gatewayListenerUnusable: ErrorKind = defineError({
  code: "RS1054",
  name: "gateway_listener_unusable",
  status: 500,
  grpcStatus: 13,
  title: "A listener of a Gateway cannot be used; it refuses its clients",
  cause: "A certificate, key or root of it cannot be read, or its port is used by a listener of another kind.",
  remedy: "Look at the listener's conditions (ripstop describe Gateway NAME) and at its Secrets.",
});

export const tryTimedOut: ErrorKind = defineError({
  code: "RS1070",
  name: "try_timed_out",
  status: 504,
  grpcStatus: 4,
  title: "A try of the request took longer than the time-out for one try",
  cause:
    "The instance was too slow for `timeouts.backendRequest` of the route or `timeouts.perTry` of the ResiliencePolicy.",
  remedy: "Make the service answer sooner, raise the time-out for one try, or allow more retries.",
});

export const headerTimedOut: ErrorKind = defineError({
  code: "RS1071",
  name: "response_header_timed_out",
  status: 504,
  grpcStatus: 4,
  title: "The service did not begin its answer in time",
  cause: "No response header came within `timeouts.responseHeader` of the ResiliencePolicy.",
  remedy: "Make the service answer sooner, or raise `timeouts.responseHeader`.",
});

export const bodyTimedOut: ErrorKind = defineError({
  code: "RS1072",
  name: "body_timed_out",
  status: 504,
  grpcStatus: 4,
  title: "The answer took too long from its header to its end",
  cause: "The body did not end within `timeouts.body` of the ResiliencePolicy.",
  remedy: "Send less, or sooner, or raise `timeouts.body`; streams without an end need it unset.",
});

export const streamIdle: ErrorKind = defineError({
  code: "RS1073",
  name: "stream_idle",
  status: 504,
  grpcStatus: 4,
  title: "Nothing passed through the request or tunnel for too long",
  cause: "Neither side sent anything for `timeouts.streamIdle` of the ResiliencePolicy.",
  remedy: "Let one side send something now and then (a ping of the protocol inside), or raise `timeouts.streamIdle`.",
});

export const connectTimedOut: ErrorKind = defineError({
  code: "RS1074",
  name: "connect_timed_out",
  status: 504,
  grpcStatus: 14,
  title: "No connection to the service came about in time",
  cause: "The instance's host is down or drops packets, or it is too busy to accept within `timeouts.connect`.",
  remedy: "See whether the instance runs and no firewall drops its packets, or raise `timeouts.connect`.",
});

export const circuitOpen: ErrorKind = defineError({
  code: "RS1075",
  name: "circuit_open",
  status: 503,
  grpcStatus: 8,
  title: "Too much is under way to the service: a limit of its ResiliencePolicy is reached",
  cause: "The service answers slower than requests arrive; the message names the limit.",
  remedy: "Add instances, slow the clients down, or raise the limit under `limits` of the ResiliencePolicy.",
});

export const concurrencyLimited: ErrorKind = defineError({
  code: "RS1076",
  name: "concurrency_limited",
  status: 503,
  grpcStatus: 8,
  title: "The service became slower, so fewer requests at a time are sent to it",
  cause: "Its latency rose above its usual one, and the adaptive limit (`adaptiveConcurrency`) fell.",
  remedy: "Add instances or find out what made it slow; the limit rises by itself when latency falls.",
});

export const loadShed: ErrorKind = defineError({
  code: "RS1077",
  name: "load_shed",
  status: 503,
  grpcStatus: 8,
  title: "The service has too much to do and refuses requests of this priority",
  cause: "The requests under way reached the share of the limit (`loadShedding`) that this priority may use.",
  remedy: "Try again after the time in Retry-After; add instances, or give requests that matter a higher priority.",
});

export const upgradeNotCarried: ErrorKind = defineError({
  code: "RS1079",
  name: "upgrade_not_carried",
  status: 501,
  grpcStatus: 12,
  title: "The upgrade cannot be carried to the service",
  cause:
    "Behind this proxy the request goes on in HTTP/2, where an upgrade is a GET to a protocol without a version (RFC 8441), as WebSocket is, and where the service has to allow it.",
  remedy: "Use WebSocket, or CONNECT through the HTTP proxy to a port that is declared as tcp.",
});

export const deadlinePassed: ErrorKind = defineError({
  code: "RS1078",
  name: "deadline_passed",
  status: 504,
  grpcStatus: 4,
  title: "The caller's deadline passed before the request was handed on",
  cause: "grpc-timeout or x-request-timeout-ms allowed less time than it took to get here.",
  remedy: "Allow more time, or make the hops before this one quicker; nothing was done for this request.",
});
