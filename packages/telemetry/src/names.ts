// Every metric of Ripstop: name and help in one place, so that dashboards, docs and code agree.

/** A metric's name and its one-line help. */
export interface MetricName {
  readonly name: string;
  readonly help: string;
}

function metric(name: string, help: string): MetricName {
  return Object.freeze({ name, help });
}

// Traffic (proxy).
export const REQUESTS: MetricName = metric(
  "ripstop_requests_total",
  "Requests by direction, source, destination, route and status class.",
);
export const REQUEST_DURATION: MetricName = metric(
  "ripstop_request_duration_ms",
  "Time from the request's first byte to the response's last one, in milliseconds.",
);
export const REQUEST_BYTES: MetricName = metric("ripstop_request_bytes_total", "Bytes of request bodies.");
export const RESPONSE_BYTES: MetricName = metric("ripstop_response_bytes_total", "Bytes of response bodies.");
export const RETRIES: MetricName = metric("ripstop_retries_total", "Requests tried again, by outcome.");
export const HEDGES: MetricName = metric(
  "ripstop_hedged_requests_total",
  "Requests that were sent to a second instance because the first had not answered, by service.",
);
export const TIMEOUTS: MetricName = metric(
  "ripstop_timeouts_total",
  "Requests ended by a time-out, by service and by which time-out it was.",
);
export const LOAD_REFUSALS: MetricName = metric(
  "ripstop_load_refusals_total",
  "Requests refused because too much was under way, by service and by which limit it was.",
);
export const MIRRORED: MetricName = metric(
  "ripstop_mirrored_requests_total",
  "Copies of requests sent to mirrors, by destination and result: a status class, failed, or dropped by the proxy.",
);
export const MIRROR_COMPARED: MetricName = metric(
  "ripstop_mirror_compared_total",
  "Mirrored requests by service, mirror and result: same, or what differs first: status or body (of a part of them).",
);
export const MIRROR_DURATION: MetricName = metric(
  "ripstop_mirror_duration_ms",
  "Time to the end of the answer of mirrored requests, in milliseconds, by service, mirror and side: service or mirror.",
);
export const DENIALS: MetricName = metric(
  "ripstop_denials_total",
  "Requests and connections refused by a policy, by policy.",
);
export const LIMITED: MetricName = metric(
  "ripstop_rate_limited_total",
  "Requests over a rate limit, by policy, rule and mode: enforce refuses them, shadow lets them pass.",
);
export const FAULTS: MetricName = metric(
  "ripstop_faults_total",
  "Requests that a FaultInjection disturbed, by policy and kind of fault.",
);
export const TCP_BYTES: MetricName = metric("ripstop_tcp_bytes_total", "Bytes of raw TCP connections, by direction.");

// Connections (proxy).
export const TLS_HANDSHAKES: MetricName = metric(
  "ripstop_tls_handshakes_total",
  "TLS handshakes by side, result and, when refused, by reason.",
);
export const CONNECTIONS_REVOKED: MetricName = metric(
  "ripstop_connections_revoked_total",
  "Live connections that were closed because the identity or certificate of an end was revoked, by workload.",
);
export const TRANSPORT: MetricName = metric("ripstop_transport_info", "1 for the transport tier in use.");
export const QUEUED_BODIES: MetricName = metric(
  "ripstop_queued_body_bytes",
  "Memory of bodies that wait for slow readers, in bytes; above its limit, senders get small windows.",
);
export const ENDPOINT_EJECTIONS: MetricName = metric(
  "ripstop_endpoint_ejections_total",
  "Endpoints ejected as outliers.",
);

// Config and identity (proxy).
export const CONFIG_RESOURCES_RECEIVED: MetricName = metric(
  "ripstop_config_resources_received_total",
  "Config resources received, by type.",
);
export const CONFIG_REJECTED: MetricName = metric(
  "ripstop_config_rejected_total",
  "Config resources refused, by type.",
);
export const SVID_EXPIRY: MetricName = metric(
  "ripstop_svid_expiry_seconds",
  "When the workload's certificate expires, seconds since the Unix epoch.",
);

// Control plane.
export const CONFIG_RESOURCES_SENT: MetricName = metric(
  "ripstop_config_resources_sent_total",
  "Config resources sent to proxies, by type.",
);
export const CONFIG_RESUMED: MetricName = metric(
  "ripstop_config_resources_resumed_total",
  "Config resources that a reconnecting proxy had already, by type.",
);
export const CONFIG_STREAMS: MetricName = metric("ripstop_config_streams", "Connected proxies.");
export const STORE_REVISION: MetricName = metric("ripstop_store_revision", "Latest revision of the resource store.");
export const WORKLOADS: MetricName = metric("ripstop_workloads", "Registered workloads.");
export const WORKLOADS_HELD: MetricName = metric(
  "ripstop_workloads_held",
  "Workloads without a lease that are kept because too many fell silent at once.",
);
export const IMPORT_SOURCES: MetricName = metric("ripstop_import_sources", "Declared EndpointSources.");
export const IMPORTED_INSTANCES: MetricName = metric(
  "ripstop_imported_instances",
  "Instances that EndpointSources name, those that are kept over a mass disappearance among them.",
);
export const IMPORT_FAILURES: MetricName = metric(
  "ripstop_import_failures_total",
  "Questions of this control plane to DNS and Consul that were not answered.",
);
export const INSTANCES_HELD_DOWN: MetricName = metric(
  "ripstop_instances_held_down",
  "Instances that get no requests because they came and went too often.",
);
export const COMPILED: MetricName = metric("ripstop_compiled_total", "Data-plane resources computed.");
export const COMPILED_RESOURCES: MetricName = metric("ripstop_compiled_resources", "Data-plane resources remembered.");
export const COMPILE_WAITING: MetricName = metric(
  "ripstop_compile_waiting",
  "Data-plane resources that wait to be computed again.",
);
export const COMPILE_TROUBLE: MetricName = metric(
  "ripstop_compile_trouble_total",
  "Namespaces that went over their compile budget and resources that could not be compiled, by reason.",
);
export const TAP_EVENTS_DROPPED: MetricName = metric(
  "ripstop_tap_events_dropped_total",
  "Tap events dropped because a watcher was slow.",
);
export const GRAPH_EDGES_DROPPED: MetricName = metric(
  "ripstop_graph_edges_dropped_total",
  "Edges of the live graph dropped because there were too many.",
);

// Config stream and telemetry stream.
export const CONFIG_REMOVALS_RECEIVED: MetricName = metric(
  "ripstop_config_removals_received_total",
  "Removals received from the control plane.",
);
export const CONFIG_RESOURCES_REFUSED: MetricName = metric(
  "ripstop_config_resources_refused_total",
  "Resources received and refused.",
);
export const CONFIG_REMOVALS_SENT: MetricName = metric(
  "ripstop_config_removals_sent_total",
  "Removals sent to proxies.",
);
export const CONFIG_PROPAGATION: MetricName = metric(
  "ripstop_config_propagation_ms",
  "Time from a change in the control plane to its acknowledgement by one proxy, in milliseconds, by type.",
);
export const CONFIG_MENDED: MetricName = metric(
  "ripstop_config_mended_total",
  "Resources that a proxy should have had and did not, found by checksum and sent again, by type.",
);
export const CONFIG_STREAMS_BEHIND: MetricName = metric(
  "ripstop_config_streams_behind_total",
  "Config streams refused, because the proxy has config of a newer revision than this control plane.",
);
export const CONFIG_CONNECTIONS_REFUSED: MetricName = metric(
  "ripstop_config_connections_refused_total",
  "Connections to the config stream ended before their TLS handshake: too many waited, or one waited too long.",
);
export const CONFIG_STREAMS_REFUSED: MetricName = metric(
  "ripstop_config_streams_refused_total",
  "Streams refused, because the identity does not own the proxy id.",
);
export const TELEMETRY_REPORTS_DROPPED: MetricName = metric(
  "ripstop_telemetry_reports_dropped_total",
  "Telemetry reports dropped, because the control plane was away or slow.",
);

// Identity.
export const IDENTITY_JWT_ISSUED: MetricName = metric("ripstop_identity_jwt_issued_total", "JWT-SVIDs issued.");
export const IDENTITY_JWT_REFUSED: MetricName = metric(
  "ripstop_identity_jwt_refused_total",
  "JWT-SVIDs refused, by error code.",
);
export const IDENTITY_ISSUED: MetricName = metric("ripstop_identity_issued_total", "X.509-SVIDs issued.");
export const IDENTITY_REFUSED: MetricName = metric(
  "ripstop_identity_refused_total",
  "Signing requests refused, by error code.",
);
export const ROOT_EXPIRY: MetricName = metric(
  "ripstop_identity_root_expiry_seconds",
  "When the root that signs expires, seconds since the Unix epoch.",
);
export const BUNDLE_SEQUENCE: MetricName = metric(
  "ripstop_identity_bundle_sequence",
  "Number of the trust bundle; grows with every change.",
);
export const ROTATION_HOLDING: MetricName = metric(
  "ripstop_identity_rotation_holding",
  "Workloads that hold up a rotation of the root; 0 without one.",
);
export const IDENTITY_ALARMS: MetricName = metric(
  "ripstop_identity_alarms",
  "Alarms about roots, intermediates and SVIDs, by severity.",
);

export const IDENTITY_JOINS: MetricName = metric(
  "ripstop_identity_joins_total",
  "Workloads and nodes that joined over the network, by kind and proof.",
);
export const IDENTITY_JOINS_REFUSED: MetricName = metric(
  "ripstop_identity_joins_refused_total",
  "Joins and renewals over the network that were refused, by reason.",
);
export const IDENTITY_NODES: MetricName = metric("ripstop_identity_nodes", "Nodes whose agents have joined.");

// Every process.
export const BUILD: MetricName = metric("ripstop_build_info", "1, with the version.");
