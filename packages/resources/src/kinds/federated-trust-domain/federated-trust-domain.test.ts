// The kind FederatedTrustDomain.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry } from "../../kind-registry.ts";
import type { Resource } from "../../resource.ts";
import { validateAll, type Validated } from "../../validate-all.ts";
import { federatedTrustDomainKind } from "./index.ts";

const kinds = new KindRegistry([federatedTrustDomainKind]);
const endpoint = { url: "https://mesh.partner.example:8443/", profile: "https_web" };
const spiffeId = "spiffe://partner.example/ns/ripstop-system/sa/control";

function validate(specs: readonly unknown[], current: readonly Resource[] = []): Validated {
  const files = specs.map((spec, index) => ({
    file: `${index}.json`,
    text: JSON.stringify({
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "FederatedTrustDomain",
      metadata: { name: `partner-${index}` },
      spec,
    }),
  }));
  return validateAll(files, { kinds, current: { get: () => undefined, list: () => current } });
}

describe("FederatedTrustDomain", () => {
  for (const [what, spec] of [
    ["an endpoint of the Web PKI", { trustDomain: "partner.example", bundleEndpoint: endpoint }],
    [
      "an endpoint that proves itself by the bundle to begin with",
      {
        trustDomain: "partner.example",
        bundleEndpoint: { ...endpoint, profile: "https_spiffe", spiffeId },
        bundle: "{}",
      },
    ],
    [
      "an endpoint of a third trust domain",
      { trustDomain: "other.example", bundleEndpoint: { ...endpoint, profile: "https_spiffe", spiffeId } },
    ],
    ["a bundle alone", { trustDomain: "partner_1.example-2", bundle: "{}" }],
  ] as const) {
    it(`takes ${what}`, () => assert.deepEqual(validate([spec]).violations, []));
  }

  for (const [what, spec, path, message] of [
    ["neither endpoint nor bundle", { trustDomain: "partner.example" }, "spec", /neither/],
    [
      "an id in place of a trust domain",
      { trustDomain: "spiffe://partner.example", bundle: "{}" },
      "spec.trustDomain",
      /right form/,
    ],
    ["upper case", { trustDomain: "Partner.example", bundle: "{}" }, "spec.trustDomain", /right form/],
    [
      "http",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, url: "http://partner.example/" } },
      "spec.bundleEndpoint.url",
      /not https/,
    ],
    [
      "no URL",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, url: "partner.example" } },
      "spec.bundleEndpoint.url",
      /no URL/,
    ],
    [
      "a password",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, url: "https://me:secret@partner.example/" } },
      "spec.bundleEndpoint.url",
      /user or password/,
    ],
    [
      "an unknown profile",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, profile: "http" } },
      "spec.bundleEndpoint.profile",
      /not one of/,
    ],
    [
      "a SPIFFE id with https_web",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, spiffeId } },
      "spec.bundleEndpoint.spiffeId",
      /Web PKI/,
    ],
    [
      "no SPIFFE id with https_spiffe",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, profile: "https_spiffe" } },
      "spec.bundleEndpoint.spiffeId",
      /missing/,
    ],
    [
      "a trust domain as SPIFFE id",
      {
        trustDomain: "partner.example",
        bundleEndpoint: { ...endpoint, profile: "https_spiffe", spiffeId: "spiffe://partner.example" },
      },
      "spec.bundleEndpoint.spiffeId",
      /right form/,
    ],
    [
      "nothing to begin with",
      { trustDomain: "partner.example", bundleEndpoint: { ...endpoint, profile: "https_spiffe", spiffeId } },
      "spec.bundle",
      /missing/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      const [violation] = validate([spec]).violations;
      assert.equal(violation?.path, path);
      assert.match(violation?.message ?? "", message);
    });
  }

  it("refuses a second description of one trust domain", () => {
    const first = validate([{ trustDomain: "partner.example", bundle: "{}" }]).resources[0]?.resource;
    assert.ok(first);
    const other = { ...first, metadata: { ...first.metadata, name: "older" } };
    const [violation] = validate([{ trustDomain: "partner.example", bundle: "{}" }], [other]).violations;
    assert.equal(violation?.path, "spec.trustDomain");
    assert.match(violation?.message ?? "", /described by older already/);
  });
});
