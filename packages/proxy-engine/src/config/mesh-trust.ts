// Whom the proxy believes: the bundles of its own trust domain and of those that it federates with, and who was revoked.

import { ok, type Result, type RipstopError } from "@ripstop/core";
import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import { bundleFileSequence, trustBundleType, type TrustBundle } from "@ripstop/model";
import { RevocationList, type IdentityTable } from "@ripstop/net";
import { metricNames } from "@ripstop/telemetry";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { Engine } from "../engine.ts";
import { bundlePem } from "./bundle-pem.ts";

/** What the trust of a proxy needs. */
export interface MeshTrustOptions {
  readonly engine: Engine;
  readonly trustDomain: string;
  readonly config: ConfigClient;
  /** Is told of bundles and revocations. */
  readonly identities: IdentityTable;
  /** Their connections are closed when a peer of theirs, or they themselves, are revoked. */
  readonly workloads: ReadonlyMap<string, HostedWorkload>;
  /** `isKnown` became true, or a bundle was replaced. */
  readonly onChanged: () => void;
}

/** The trust of one proxy. */
export class MeshTrust {
  readonly #options: MeshTrustOptions;
  /** PEM texts, by trust domain. */
  readonly #bundles = new Map<string, string>();
  /** Subscriptions to the bundles of other trust domains, by trust domain. */
  readonly #federated = new Map<string, Subscription>();
  #subscription: Subscription | undefined = undefined;
  #sequence = 0;
  #isKnown = false;

  constructor(options: MeshTrustOptions) {
    this.#options = options;
  }

  /** The stream has told the bundle. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Number of the bundle of the own trust domain in force; 0 before one with a number came. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Takes over the text of a bundle file, unless a newer bundle is in force. */
  setBundle(text: string): Result<void, RipstopError> {
    return this.#takeBundle(text, bundleFileSequence(text));
  }

  /** Asks the stream for the bundle. */
  watch(): void {
    const { config, trustDomain } = this.#options;
    this.#subscription = config.watch(trustBundleType, trustDomain, {
      onResource: (bundle) => this.#onBundle(bundle),
      onRemoved: () => undefined,
    });
  }

  /** Asks for no bundle any more. */
  close(): void {
    this.#subscription?.cancel();
    for (const subscription of this.#federated.values()) subscription.cancel();
  }

  #onBundle(bundle: TrustBundle): void {
    const set = this.#takeBundle(bundlePem(bundle.x509Authorities), bundle.sequence);
    if (!set.ok) throw set.error;
    // Revocations, of whatever trust domain, are this mesh's own word.
    this.#options.identities.setRevocations(new RevocationList(bundle.revocations));
    this.#cutRevoked();
    this.#federate(bundle.federatesWith);
    this.#useBundles();
    this.#isKnown = true;
    this.#options.onChanged();
  }

  /** The stream, its cache and the supervisor's file all bring bundles: an older one never replaces a newer one. */
  #takeBundle(pem: string, sequence: number): Result<void, RipstopError> {
    const { identities, trustDomain } = this.#options;
    if (sequence < this.#sequence) return ok(undefined);
    if (sequence === this.#sequence && sequence > 0 && this.#bundles.has(trustDomain)) return ok(undefined);
    const set = identities.setBundles(new Map([...this.#bundles, [trustDomain, pem]]));
    if (!set.ok) return set;
    this.#bundles.set(trustDomain, pem);
    this.#sequence = sequence;
    return set;
  }

  /** Ends every connection of a revoked peer, and all those that a revoked workload of this proxy made or took. */
  #cutRevoked(): void {
    const { engine, identities, workloads } = this.#options;
    for (const workload of workloads.values()) {
      const own = identities.ownRevocation(workload.id);
      const cut = workload.cutPeers(
        ({ peerId, peerSerial }) => own !== undefined || identities.revocationOf(peerId, peerSerial) !== undefined,
      );
      if (own !== undefined) {
        engine.log.error("the identity of this workload was revoked: it has no part in the mesh any more", {
          workload: workload.id,
          identity: own.spiffeId,
          reason: own.by.reason,
        });
      }
      if (cut === 0) continue;
      const { name, help } = metricNames.CONNECTIONS_REVOKED;
      engine.metrics.counter(name, help, { workload: workload.id }).add(cut);
      engine.log.warn("connections of revoked identities were closed", { workload: workload.id, count: cut });
    }
  }

  /** Asks for the bundles of these trust domains, and believes no other ones any more. */
  #federate(trustDomains: readonly string[]): void {
    for (const [trustDomain, subscription] of this.#federated) {
      if (trustDomains.includes(trustDomain)) continue;
      subscription.cancel();
      this.#federated.delete(trustDomain);
      this.#bundles.delete(trustDomain);
    }
    for (const trustDomain of trustDomains) {
      if (trustDomain === this.#options.trustDomain || this.#federated.has(trustDomain)) continue;
      this.#federated.set(
        trustDomain,
        this.#options.config.watch(trustBundleType, trustDomain, {
          onResource: (bundle) => this.#onFederatedBundle(trustDomain, bundlePem(bundle.x509Authorities)),
          onRemoved: () => this.#onFederatedBundle(trustDomain, ""),
        }),
      );
    }
  }

  #onFederatedBundle(trustDomain: string, pem: string): void {
    if (pem === "") this.#bundles.delete(trustDomain);
    else this.#bundles.set(trustDomain, pem);
    this.#useBundles();
  }

  #useBundles(): void {
    const set = this.#options.identities.setBundles(new Map(this.#bundles));
    if (!set.ok) throw set.error;
  }
}
