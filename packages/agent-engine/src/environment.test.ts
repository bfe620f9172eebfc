import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applicationEnvironment, environmentName } from "./environment.ts";

describe("applicationEnvironment", () => {
  const ports = { httpProxy: 15_002, upstreams: [16_000, 16_001] };
  const upstreams = [
    { host: "stock", port: 0 },
    { host: "front-desk.shop", port: 80 },
  ];

  it("tells the application its port, its proxy and its upstreams", () => {
    const env = applicationEnvironment({ HOME: "/root" }, 8080, upstreams, ports);
    assert.deepEqual(env, {
      HOME: "/root",
      PORT: "8080",
      HTTP_PROXY: "http://127.0.0.1:15002",
      http_proxy: "http://127.0.0.1:15002",
      NO_PROXY: "127.0.0.1,localhost,::1",
      no_proxy: "127.0.0.1,localhost,::1",
      NODE_USE_ENV_PROXY: "1",
      STOCK_SERVICE_HOST: "127.0.0.1",
      STOCK_SERVICE_PORT: "16000",
      FRONT_DESK_SHOP_SERVICE_HOST: "127.0.0.1",
      FRONT_DESK_SHOP_SERVICE_PORT: "16001",
    });
  });

  it("keeps the hosts that were asked directly before", () => {
    assert.equal(
      applicationEnvironment({ NO_PROXY: "intern.example" }, undefined, [], ports)["no_proxy"],
      "intern.example,127.0.0.1,localhost,::1",
    );
  });

  it("sets no PORT for an application without one, and hides the supervisor's own channel", () => {
    const env = applicationEnvironment({ NODE_CHANNEL_FD: "3" }, undefined, [], ports);
    assert.equal(env["PORT"], undefined);
    assert.equal("NODE_CHANNEL_FD" in env, false);
  });

  it("makes names that a shell takes", () => {
    assert.equal(environmentName("front-desk.shop"), "FRONT_DESK_SHOP");
  });
});
