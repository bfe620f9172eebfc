// Judges a raw connection to a hosted workload by the policies in force.

import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { auditRequest } from "../7-connect/inbound-exchange.ts";
import { denialRefusal, refusal, type Refusal } from "../7-connect/local-reply.ts";
import { policyNotInForce } from "../errors.ts";
import { RequestView } from "./request-view.ts";

const view = new RequestView();

/**
 * Why the connection is refused; undefined when it may pass. One that `isNew` is counted by the limits, once, and a pass is put
 * on record where a policy wants it.
 */
export function judgeConnection(
  workload: HostedWorkload,
  peer: InboundPeer,
  isNew: boolean = false,
): Refusal | undefined {
  const { chain } = workload.view;
  if (chain === undefined) return refusal(policyNotInForce, workload.view.missing);
  view.setConnection(peer, peer.port);
  const denial = chain.judge(view);
  if (denial !== undefined) return denialRefusal(denial);
  if (!isNew) return undefined;
  const over = chain.counts ? chain.admit(view) : undefined;
  if (over !== undefined) return denialRefusal(over);
  auditRequest(workload, view);
  return undefined;
}
