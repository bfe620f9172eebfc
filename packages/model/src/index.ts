// L1: the data-plane model, the wire messages and the bootstrap contract of the proxy process.

export type {
  ApiError,
  ApplyRequest,
  ApplyResponse,
  CaCertificateView,
  ControlInfo,
  Diff,
  Graph,
  HeartbeatResponse,
  HistoryPage,
  IdentityAlarm,
  IdentityHealth,
  LiveStatus,
  MeshEvent,
  RecoveryRequest,
  RegisterRequest,
  RegisterResponse,
  RevisionView,
  RollbackRequest,
  RotationHolder,
  RotationPhase,
  RotationRequest,
  RotationStatus,
  SvidRequest,
  SvidResponse,
  TrustBundleView,
  WorkloadStatus,
  WorkloadView,
} from "./api.ts";
export {
  bundleFile,
  bundleFileSequence,
  identityFiles,
  stateFiles,
  type BootstrapUpstream,
  type BootstrapWorkload,
  type ProxyBootstrap,
  type ProxyMessage,
  type ProxyPorts,
  type SupervisorMessage,
} from "./bootstrap.ts";
export * from "./generated/ripstop/model/v1/model.ts";
export * as discovery from "./generated/envoy/service/discovery/v3/discovery.ts";
export * as etcd from "./generated/etcd/etcd.ts";
export * as telemetry from "./generated/ripstop/telemetry/v1/telemetry.ts";
export {
  endpointsType,
  hostBindingName,
  hostBindingType,
  policyType,
  resourceTypes,
  routesName,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  type ResourceType,
} from "./resource-types.ts";
