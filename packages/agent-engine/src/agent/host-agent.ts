// `ripstop agent`: the identity of a host, and through it those of its processes, served as SPIFFE Workload API.

import { join } from "node:path";

import { ok, RipstopError, err, type Clock, type Result } from "@ripstop/core";
import type { JoinEvidence } from "@ripstop/model";
import { PeerCredentialReader } from "../attest/peer-credentials.ts";
import type { ApiFailure } from "../control-api.ts";
import { peerCredentialsUnavailable } from "../errors.ts";
import type { ReplicatedJoinApi } from "../join/replicated-join-api.ts";
import type { KeyAndCsrMaker } from "../svid-keeper.ts";
import { listenWorkloadApi, type WorkloadApiListener } from "../workload-api/workload-api-listener.ts";
import { AgentIdentitySource } from "./agent-identity-source.ts";
import { NodeKeeper } from "./node-keeper.ts";
import type { NodeState } from "./node-state.ts";

/** How to run an agent. */
export interface HostAgentOptions {
  /** Folder of the agent's own files (0700). */
  readonly directory: string;
  /** The node's name. */
  readonly name: string;
  /** Path of the Workload API's socket; every process of the host may open it, and the kernel says who does. */
  readonly socket: string;
  readonly api: ReplicatedJoinApi;
  readonly evidence: (() => Result<JoinEvidence, string>) | undefined;
  readonly createKeyAndCsr: KeyAndCsrMaker;
  readonly clock: Clock;
  /** Takes one line for the operator. */
  readonly report: (line: string) => void;
}

/** An agent that runs. */
export interface HostAgent {
  /** The identity that it started with. */
  readonly node: NodeState;
  /** For SPIFFE_ENDPOINT_SOCKET. */
  readonly workloadApi: string;
  close(): Promise<void>;
}

/** Name of the folder of an agent's own files in a mesh home. */
export const AGENT_DIRECTORY: string = "agent";
const SOCKET_MODE = 0o666;

/** The socket of the Workload API in a mesh home, unless another is given. */
export function workloadSocket(home: string): string {
  return join(home, "workload.sock");
}

/** Joins or comes back, then serves; waits as long as the control plane is away. */
export async function startHostAgent(options: HostAgentOptions): Promise<Result<HostAgent, ApiFailure | RipstopError>> {
  const { directory, name, api, createKeyAndCsr, clock, evidence, report } = options;
  const credentials = await PeerCredentialReader.open();
  if (!credentials.ok) return err(new RipstopError(peerCredentialsUnavailable, credentials.error));
  const keeper = new NodeKeeper({ directory, name, api, createKeyAndCsr, clock, evidence, report });
  const node = await keeper.start();
  if (!node.ok) {
    keeper.close();
    return node;
  }
  const { trustDomain } = node.value;
  const source = new AgentIdentitySource({
    node: name,
    trustDomain,
    api,
    createKeyAndCsr,
    clock,
    report,
    onReplicas: (joins) => keeper.useReplicas(joins),
  });
  const close = async (listener: WorkloadApiListener | undefined): Promise<void> => {
    source.close();
    keeper.close();
    await listener?.close();
  };
  await source.refresh();
  const listening = await listenWorkloadApi({
    path: options.socket,
    mode: SOCKET_MODE,
    source,
    clock,
    credentialsOf: (socket) => credentials.value.ofSocket(socket),
    report,
  });
  if (!listening.ok) {
    await close(undefined);
    return listening;
  }
  return ok({ node: node.value, workloadApi: listening.value.address, close: () => close(listening.value) });
}
