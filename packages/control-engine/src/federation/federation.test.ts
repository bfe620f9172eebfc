// Following the bundles of other trust domains: what is believed when, and what the status says.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";

import { err, ok, type Result } from "@ripstop/core";
import { emptyBundle, formatBundle, parseBundle, type SpiffeBundle } from "@ripstop/identity/jwt";
import type { FederatedTrustDomainSpec, Resource } from "@ripstop/resources";
import { StoppedClock, TestAuthority } from "@ripstop/testkit";

import { EventLog } from "../events/event-log.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Federation, type FederationRecord } from "./federation.ts";
import type { BundleSource, FetchedBundle } from "./fetch-bundle.ts";

const CONTROL = "spiffe://partner.example/ns/ripstop-system/sa/control";
const ENDPOINT = { url: "https://partner.example:8443/", profile: "https_spiffe", spiffeId: CONTROL } as const;

interface Status {
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly lastTransitionTime: string;
    readonly observedGeneration: number;
  }[];
  readonly bundle?: { readonly sequence?: number; readonly x509Authorities: number };
  readonly nextFetchAt?: string;
}

describe("federation", () => {
  let clock: StoppedClock;
  let store: MemoryStore;
  let events: EventLog;
  let federation: Federation;
  let partner: SpiffeBundle;
  let partnerPem = "";
  let fetches: { readonly source: BundleSource; answer(result: Result<FetchedBundle, string>): Promise<void> }[] = [];

  beforeEach(async () => {
    clock = new StoppedClock();
    store = new MemoryStore({ clock });
    events = new EventLog(clock);
    fetches = [];
    const authority = await TestAuthority.create("partner.example");
    partnerPem = authority.bundlePem;
    partner = bundleOf(authority, 7);
    federation = open();
  });
  afterEach(() => federation.close());

  function open(): Federation {
    return new Federation({
      store,
      table: store.table<FederationRecord>("federation"),
      clock,
      trustDomain: "own.example",
      ownRoots: () => [Buffer.from("own root")],
      events,
      random: () => 0,
      fetch: (source) =>
        new Promise((resolve) => {
          fetches.push({
            source,
            async answer(result) {
              resolve(result);
              await settled();
            },
          });
        }),
    });
  }

  async function apply(spec: Partial<FederatedTrustDomainSpec> = {}, name = "partner"): Promise<void> {
    const committed = await store.commit({
      author: "test",
      reason: "",
      puts: [
        {
          apiVersion: "ripstop.mesh/v1alpha1",
          kind: "FederatedTrustDomain",
          metadata: {
            name,
            namespace: "",
            labels: {},
            annotations: {},
            uid: "",
            generation: 0,
            resourceVersion: "",
            creationTimestamp: "",
          },
          spec: { trustDomain: "partner.example", bundle: partnerPem, bundleEndpoint: ENDPOINT, ...spec },
        },
      ],
      deletes: [],
    });
    assert.ok(committed.ok);
    await settled();
  }

  function status(name = "partner"): Status {
    const resource = store.get(`FederatedTrustDomain/${name}`);
    assert.ok(resource);
    return federation.withStatus(resource).status as Status;
  }

  function condition(type: string): string {
    const found = status().conditions.find((one) => one.type === type);
    return found === undefined ? "" : `${found.status} ${found.reason}: ${found.message}`;
  }

  function sequence(): number | undefined {
    return federation.bundles().get("partner.example")?.sequence;
  }

  it("believes the given bundle at once, and asks the endpoint with its roots", async () => {
    await apply();
    assert.equal(federation.bundles().get("partner.example")?.x509Authorities.length, 1);
    assert.equal(condition("Accepted"), "True Accepted: ");
    assert.equal(condition("BundleFetched"), "Unknown Pending: not fetched yet");
    const [fetch] = fetches;
    assert.ok(fetch?.source.profile === "https_spiffe");
    assert.equal(fetch.source.spiffeId, CONTROL);
    assert.deepEqual(fetch.source.roots, partner.x509Authorities);
    await fetch.answer(ok(fetched(partner)));
    assert.equal(condition("BundleFetched"), "True Fetched: 1 X.509 roots, 1 JWT keys");
    assert.equal(status().bundle?.sequence, 7);
    assert.equal(status().conditions[0]?.observedGeneration, 1);
  });

  it("asks again after the time that the bundle hints at, within bounds", async () => {
    await apply();
    for (const [hintS, waitS] of [
      [60, 54],
      [1, 9],
      [undefined, 270],
      [10_000_000, 77_760],
    ] as const) {
      const before = fetches.length;
      await fetches.at(-1)?.answer(ok(fetched({ ...partner, refreshHintS: hintS })));
      clock.advance(waitS * 1000 - 1);
      assert.equal(fetches.length, before);
      clock.advance(1);
      assert.equal(fetches.length, before + 1, `hint ${hintS}`);
    }
  });

  it("keeps the last good bundle over failures, tries again with backoff, and says so once", async () => {
    await apply();
    await fetches[0]?.answer(ok(fetched(partner)));
    clock.advance(54_000);
    await fetches[1]?.answer(err("nothing listens at the endpoint's address"));
    assert.match(condition("BundleFetched"), /^False FetchFailed: nothing listens.*last good bundle stays/);
    assert.equal(sequence(), 7);
    const waits: number[] = [];
    for (let attempt = 2; attempt < 14; attempt++) {
      let waited = 0;
      while (fetches.length === attempt) {
        clock.advance(500);
        waited += 500;
      }
      waits.push(waited);
      await fetches[attempt]?.answer(err("nothing listens at the endpoint's address"));
    }
    assert.ok((waits[0] ?? 0) <= 1_000 && (waits.at(-1) ?? 0) > 100_000, waits.join(" "));
    assert.equal(events.list().filter(({ type }) => type === "FederatedBundleNotFetched").length, 1);
    assert.equal(sequence(), 7);
  });

  it("tells of a new bundle, and of nothing when it is the same", async () => {
    let changes = 0;
    await apply();
    federation.onChange(() => changes++);
    await fetches[0]?.answer(ok(fetched(partner)));
    assert.equal(changes, 1);
    clock.advance(60_000);
    await fetches[1]?.answer(ok(fetched(partner)));
    assert.equal(changes, 1);
    clock.advance(60_000);
    await fetches[2]?.answer(ok(fetched({ ...partner, jwtAuthorities: [], sequence: 8 })));
    assert.equal(changes, 2);
    assert.equal(sequence(), 8);
  });

  it("refuses an older bundle than the one that it knows", async () => {
    await apply();
    await fetches[0]?.answer(ok(fetched(partner)));
    clock.advance(60_000);
    await fetches[1]?.answer(ok(fetched({ ...partner, sequence: 6 })));
    assert.match(condition("BundleFetched"), /^False FetchFailed: the endpoint gave the older bundle 6, 7 is known/);
    assert.equal(sequence(), 7);
  });

  it("believes nobody of a trust domain that publishes no keys any more", async () => {
    await apply();
    await fetches[0]?.answer(ok(fetched({ ...emptyBundle, sequence: 9 })));
    assert.deepEqual(federation.bundles().get("partner.example")?.x509Authorities, []);
  });

  it("comes back after a restart with the last good bundle, and since when it stands as it does", async () => {
    await apply();
    await fetches[0]?.answer(ok(fetched(partner)));
    const since = status().conditions.map(({ lastTransitionTime }) => lastTransitionTime);
    federation.close();
    clock.advance(3_600_000);
    federation = open();
    assert.equal(sequence(), 7);
    await fetches.at(-1)?.answer(ok(fetched(partner)));
    assert.equal(status().conditions[0]?.lastTransitionTime, since[0]);
  });

  it("begins anew with the given bundle when the resource changes", async () => {
    await apply();
    await fetches[0]?.answer(ok(fetched(partner)));
    const other = await TestAuthority.create("partner.example");
    await apply({ bundle: other.bundlePem });
    const second = fetches.at(-1)?.source;
    assert.ok(second?.profile === "https_spiffe");
    assert.deepEqual(second.roots, bundleOf(other, 0).x509Authorities);
    assert.equal(sequence(), undefined);
  });

  it("gives up a fetch under way, and the bundle, when the resource is deleted", async () => {
    await apply();
    const [fetch] = fetches;
    await store.commit({ author: "", reason: "", puts: [], deletes: ["FederatedTrustDomain/partner"] });
    await fetch?.answer(ok(fetched(partner)));
    assert.equal(federation.bundles().size, 0);
    clock.advance(86_400_000);
    assert.equal(fetches.length, 1);
    await settled();
    assert.equal(store.table<FederationRecord>("federation").get("partner"), undefined);
  });

  it("never takes a bundle for the own trust domain from anywhere else", async () => {
    await apply({ trustDomain: "own.example" });
    assert.match(condition("Accepted"), /^False OwnTrustDomain/);
    assert.equal(federation.bundles().size, 0);
    assert.equal(fetches.length, 0);
  });

  it("refuses a given bundle that cannot be read", async () => {
    await apply({ bundle: "{}" });
    assert.match(condition("Accepted"), /^False InvalidBundle: the bundle has no list/);
    await apply({ bundle: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" });
    assert.match(condition("Accepted"), /^False InvalidBundle: certificate 1 is malformed/);
    assert.equal(federation.bundles().size, 0);
  });

  it("checks an endpoint of another trust domain with the bundle of that one", async () => {
    const spec: FederatedTrustDomainSpec = {
      trustDomain: "third.example",
      bundleEndpoint: { ...ENDPOINT, url: "https://partner.example:8443/third" },
    };
    await store.commit({ author: "", reason: "", puts: [resourceOf("third", spec)], deletes: [] });
    await settled();
    assert.match(JSON.stringify(status("third")), /there is no root of partner\.example/);
    await apply();
    clock.advance(2_000);
    const third = fetches.map(({ source }) => source).find(({ url }) => url.endsWith("/third"));
    assert.ok(third?.profile === "https_spiffe");
    assert.deepEqual(third.roots, partner.x509Authorities);
    const own: FederatedTrustDomainSpec = {
      trustDomain: "fourth.example",
      bundleEndpoint: { ...ENDPOINT, url: "https://own.example/fourth", spiffeId: "spiffe://own.example/ns/a/sa/b" },
    };
    await store.commit({ author: "", reason: "", puts: [resourceOf("fourth", own)], deletes: [] });
    await settled();
    const fourth = fetches.at(-1)?.source;
    assert.ok(fourth?.profile === "https_spiffe");
    assert.deepEqual(fourth.roots, [Buffer.from("own root")]);
  });

  it("has a bundle without endpoint, as it is given", async () => {
    await store.commit({
      author: "",
      reason: "",
      puts: [resourceOf("partner", { trustDomain: "partner.example", bundle: formatBundle(partner) })],
      deletes: [],
    });
    assert.match(condition("BundleFetched"), /^True Given/);
    assert.deepEqual(federation.bundles().get("partner.example"), partner);
    assert.equal(fetches.length, 0);
  });
});

function resourceOf(name: string, spec: FederatedTrustDomainSpec): Resource<FederatedTrustDomainSpec> {
  const metadata = {
    name,
    namespace: "",
    labels: {},
    annotations: {},
    uid: "",
    generation: 0,
    resourceVersion: "",
    creationTimestamp: "",
  };
  return { apiVersion: "ripstop.mesh/v1alpha1", kind: "FederatedTrustDomain", metadata, spec };
}

function bundleOf({ bundlePem }: TestAuthority, sequence: number): SpiffeBundle {
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const root = Buffer.from(bundlePem.replaceAll(/-----.*-----|\s/g, ""), "base64");
  return {
    x509Authorities: [root],
    jwtAuthorities: [{ kid: "k1", jwk: { kty: "EC", crv: "P-256", x, y } }],
    sequence,
    refreshHintS: 60,
  };
}

function fetched(bundle: SpiffeBundle): FetchedBundle {
  const text = formatBundle(bundle);
  const parsed = parseBundle(text);
  assert.ok(parsed.ok);
  return { bundle: parsed.value, text };
}

/** Lets promises that are kept run on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
