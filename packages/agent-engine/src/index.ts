// L4: the host side: registers workloads, keeps their SVIDs, supervises proxy and application.

export { exitCodeOf, startApplication, type Application, type ApplicationEnd } from "./application.ts";
export {
  ControlApi,
  describeFailure,
  type ApiFailure,
  type ApiRequestOptions,
  type CallerIdentity,
  type LineStream,
} from "./control-api.ts";
export { applicationEnvironment, environmentName, type OutboundPorts } from "./environment.ts";
export { freePort } from "./free-port.ts";
export {
  isAlive,
  meshHome,
  stateDirectoryOf,
  supervisorPidFile,
  sweepStateDirectories,
  type MeshHome,
} from "./mesh-home.ts";
export type { ProxyCommand } from "./proxy-process.ts";
export { ProxySupervisor, type HandOver, type ProxyEvents, type SupervisorSettings } from "./proxy-supervisor.ts";
export { evidenceFrom, tokenPins } from "./join/evidence.ts";
export { JoinApi, type JoinApiOptions } from "./join/join-api.ts";
export { ReplicatedJoinApi, type ReplicatedJoinApiOptions } from "./join/replicated-join-api.ts";
export { parseJoinAddress, type JoinAddress } from "./join/join-address.ts";
export type { TrustAnchor } from "./join/trust-anchor.ts";
export {
  RUN_FAILED_EXIT_CODE,
  WorkloadRun,
  type RunDependencies,
  type RunOptions,
  type RunPort,
} from "./run-workload.ts";
export type { KeyAndCsr, KeyAndCsrMaker } from "./svid-keeper.ts";
export type {
  IdentityRefusal,
  JwtSvid,
  PeerCredentials,
  TrustDomainBundle,
  WorkloadIdentities,
  WorkloadIdentitySource,
  X509SvidWithKey,
} from "./workload-identity-source.ts";
