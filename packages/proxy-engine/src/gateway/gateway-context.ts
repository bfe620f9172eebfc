// What the connections and requests of one Gateway need of it.

import type { OutboundContext } from "../1-accept/outbound-context.ts";
import type { PolicyChain } from "../5-filter/policy-chain.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { Rejudged } from "../7-connect/exchange-start.ts";

/** One Gateway. */
export interface GatewayContext extends OutboundContext {
  /** "NAMESPACE/NAME". */
  readonly gateway: string;
  /** Policies that guard it; undefined until all have arrived: refuse everything. */
  readonly chain: PolicyChain | undefined;
  /** Clients may say how important their requests are. */
  readonly trustsPriority: boolean;
  /** Exchanges under way, to be judged again when policies change. */
  readonly exchanges: Set<Rejudged>;
  /** The cluster of a backend of the routes in force. */
  cluster(service: string): Cluster | undefined;
}
