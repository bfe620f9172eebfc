// Who may have a stream: the certificate says who calls, the registry whose proxy that is.

import { parseWorkerStreamId, MAX_WORKERS } from "@ripstop/model";
import { status } from "@grpc/grpc-js";

import { streamNotAuthorized, streamPeerRefused } from "../errors.ts";
import type { PeerVerdict } from "../peer-verifier.ts";
import { fail, leafOf, type ConfigCall, type TelemetryCall } from "./grpc-call.ts";
import type { DiscoveryServerOptions } from "./server-options.ts";

const MAX_PROXY_ID = 512;
/** The workers of one proxy, and as many again while a new set takes over from the old one. */
const MAX_SLOTS = 2 * MAX_WORKERS;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Lets callers in, or ends their calls with the reason. */
export class Admission {
  readonly #options: DiscoveryServerOptions;

  constructor(options: DiscoveryServerOptions) {
    this.#options = options;
  }

  /** Who calls, or undefined after the call was refused. A stream ends with the certificate that it was opened under. */
  admit(call: ConfigCall | TelemetryCall): { readonly id: string } | undefined {
    const { clock, verifyPeer } = this.#options;
    const leaf = leafOf(call);
    const verdict: PeerVerdict = leaf ? verifyPeer(leaf) : { ok: false, reason: "no certificate" };
    if (!leaf || !verdict.ok) {
      const cause = verdict.ok ? "no certificate" : (verdict.message ?? verdict.reason);
      fail(call, status.UNAUTHENTICATED, `${streamPeerRefused.code} ${streamPeerRefused.title}: ${cause}`);
      return undefined;
    }
    const leftMs = Date.parse(leaf.validTo) - clock.nowMs();
    const expiry = clock.after(Math.min(Math.max(leftMs, 0), MAX_TIMER_MS), () => {
      fail(call, status.UNAUTHENTICATED, "the certificate of this stream has expired; connect with a renewed one");
    });
    call.on("close", () => expiry.clear());
    call.on("cancelled", () => expiry.clear());
    return verdict;
  }

  /** Whether a stream id is of a proxy of `identity`; else the call is refused. */
  authorize(call: ConfigCall | TelemetryCall, streamId: string, identity: string): boolean {
    const { proxyId, slot } = parseWorkerStreamId(streamId.slice(0, MAX_PROXY_ID + 1));
    const isKnown = proxyId !== "" && proxyId.length <= MAX_PROXY_ID && slot < MAX_SLOTS;
    if (isKnown && this.#options.authorize(proxyId, identity)) return true;
    const shownId = proxyId.slice(0, MAX_PROXY_ID);
    this.#options.logger?.warn("stream refused", { code: streamNotAuthorized.code, proxyId: shownId, identity });
    this.#options.metrics
      ?.counter(
        "ripstop_config_streams_refused_total",
        "Streams refused, because the identity does not own the proxy id",
      )
      .add(1);
    const message = `${streamNotAuthorized.code} ${streamNotAuthorized.title}: ${identity} does not own ${JSON.stringify(shownId)}`;
    fail(call, status.PERMISSION_DENIED, message);
    return false;
  }
}
