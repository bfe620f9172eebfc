import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressOf, HOT_SERVICE, sequenceOf, servicesOf, type MeshShape } from "./mesh-shape.ts";

describe("the mesh of the control plane's benchmark", () => {
  const shape: MeshShape = { services: 10_000, endpoints: 10, proxies: 2_000, uses: 20, pool: 10_000 };

  it("carries the number of a change in an address", () => {
    for (const sequence of [0, 1, 255, 256, 65_536, 2 ** 24, 123_456_789])
      assert.equal(sequenceOf(addressOf(sequence)), sequence);
  });

  it("gives each proxy its own services, the same in every process, and one that all use", () => {
    const used = new Set<number>();
    for (let proxy = 0; proxy < 200; proxy++) {
      const services = servicesOf(proxy, shape);
      assert.equal(new Set(services).size, 20);
      assert.ok(services.includes(HOT_SERVICE));
      assert.deepEqual(services, servicesOf(proxy, shape));
      for (const service of services) used.add(service);
    }
    assert.ok(used.size > 2_500, `${used.size} services are used`);
  });

  it("draws from the pool alone, and no more than there are", () => {
    assert.deepEqual(
      [...servicesOf(7, { ...shape, pool: 3 })].sort((a, b) => a - b),
      [0, 1, 2],
    );
  });
});
