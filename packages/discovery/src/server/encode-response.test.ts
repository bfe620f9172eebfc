// A response put together from prepared pieces says what the generated encoder would say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { discovery } from "@ripstop/model";
import fc from "fast-check";

import { encodeResponse, resourceMessage } from "./encode-response.ts";

const typeUrl = "type.googleapis.com/ripstop.model.v1.Endpoints";
const versioned = fc.record({
  name: fc.string({ unit: "grapheme", maxLength: 300 }),
  version: fc.string({ maxLength: 30 }),
  bytes: fc.uint8Array({ maxLength: 20_000 }),
});

describe("the encoding of a response", () => {
  it("is read as the message that it was made from, whatever the sizes", () => {
    fc.assert(
      fc.property(
        fc.array(versioned, { maxLength: 5 }),
        fc.array(fc.string(), { maxLength: 3 }),
        fc.string(),
        fc.option(fc.nat(), { nil: undefined }),
        (resources, removedResources, nonce, tablesRevision) => {
          const read = discovery.DeltaDiscoveryResponse.decode(
            encodeResponse({
              systemVersionInfo: "7",
              resources: resources.map((resource) => resourceMessage(typeUrl, resource)),
              typeUrl,
              nonce,
              removedResources,
              tablesRevision,
            }),
          );
          assert.deepEqual(read, {
            systemVersionInfo: "7",
            resources: resources.map(({ name, version, bytes }) => ({
              name,
              version,
              aliases: [],
              resource: { typeUrl, value: Buffer.from(bytes) },
            })),
            typeUrl,
            nonce,
            removedResources,
            tablesRevision,
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it("prepares a resource once for all who are sent it", () => {
    const resource = { name: "shop/web", version: "v1", bytes: Buffer.from("endpoints") };
    assert.equal(resourceMessage(typeUrl, resource), resourceMessage(typeUrl, resource));
  });
});
