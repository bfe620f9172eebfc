// The agent of a host; loaded by the agent role alone.

export {
  AGENT_DIRECTORY,
  startHostAgent,
  workloadSocket,
  type HostAgent,
  type HostAgentOptions,
} from "./host-agent.ts";
export { readNodeState, type NodeState } from "./node-state.ts";
