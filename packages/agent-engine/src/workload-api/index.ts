// The SPIFFE Workload API on a Unix socket. Light: gRPC is loaded with the first connection.

export {
  listenWorkloadApi,
  workloadApiAddress,
  type WorkloadApiListener,
  type WorkloadApiOptions,
} from "./workload-api-listener.ts";
