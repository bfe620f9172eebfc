// What holds when flags, environment and file say different things, and what is said when they say wrong ones.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resolveConfig } from "./resolve-config.ts";
import { settings } from "./settings.ts";

const FILE = `apiVersion: ripstop.mesh/v1alpha1
kind: ControlPlaneConfig
metadata: {name: prod}
spec:
  trustDomain: file.example
  store: {keepRevisions: 5}
  dashboard: {port: 8000}
`;

describe("the configuration of the control plane", () => {
  it("prefers flags to the environment, that to the file, and that to defaults; and says where each comes from", () => {
    const resolved = resolveConfig({
      flags: { dashboardPort: "8002" },
      environment: {
        RIPSTOP_CONTROL_DASHBOARD_PORT: "8001",
        RIPSTOP_CONTROL_STORE_KEEP_REVISIONS: "7",
        RIPSTOP_CONTROL_STORE_ETCD_ENDPOINTS: "http://a:2379, http://b:2379",
        RIPSTOP_HOME: "/somewhere",
      },
      file: { name: "control.yaml", text: FILE },
    });
    assert.ok(resolved.ok, JSON.stringify(resolved));
    const { spec, origins } = resolved.value;
    assert.equal(spec.dashboard?.port, 8002);
    assert.equal(spec.store.keepRevisions, 7);
    assert.equal(spec.trustDomain, "file.example");
    assert.deepEqual(spec.store.etcd?.endpoints, ["http://a:2379", "http://b:2379"]);
    assert.equal(spec.limits.resourcesPerNamespace, 20_000);
    assert.equal(origins["dashboard.port"], "--dashboard-port");
    assert.equal(origins["store.keepRevisions"], "RIPSTOP_CONTROL_STORE_KEEP_REVISIONS");
    assert.equal(origins["trustDomain"], "control.yaml");
    assert.equal(origins["limits.resourcesPerNamespace"], "default");
  });

  it("names every wrong value by where it comes from", () => {
    const resolved = resolveConfig({
      flags: { apiAddress: "nowhere", svidTtl: "1s" },
      environment: { RIPSTOP_CONTROL_DASHBOARD_PORT: "many", RIPSTOP_CONTROL_API_ADRESS: "x" },
    });
    assert.ok(!resolved.ok);
    assert.deepEqual(
      resolved.error.map(({ resource, path }) => `${resource} ${path}`),
      [
        "environment RIPSTOP_CONTROL_API_ADRESS",
        "--api-address spec.api.address",
        "RIPSTOP_CONTROL_DASHBOARD_PORT spec.dashboard.port",
      ],
    );
    assert.match(resolved.error[0]?.remedy ?? "", /RIPSTOP_CONTROL_API_ADDRESS/);
    const late = resolveConfig({ flags: { svidTtl: "1s", apiCert: "a.pem" }, environment: {} });
    assert.ok(!late.ok);
    assert.deepEqual(
      late.error.map(({ resource, path }) => `${resource} ${path}`),
      ["--api-cert spec.api.keyFile", "--api-cert spec.api.address", "--svid-ttl spec.authority.svidTtl"],
    );
  });

  it("refuses a file as it refuses a resource, with line and column", () => {
    const text = FILE.replace("keepRevisions", "keepRevision");
    const resolved = resolveConfig({ flags: {}, environment: {}, file: { name: "control.yaml", text } });
    assert.ok(!resolved.ok);
    const [first] = resolved.error;
    assert.equal(first?.path, "spec.store.keepRevision");
    assert.deepEqual(first?.source, { file: "control.yaml", line: 6, column: 11 });
    assert.match(first?.remedy ?? "", /keepRevisions/);
    const two = resolveConfig({ flags: {}, environment: {}, file: { name: "c", text: "kind: Service\n" } });
    assert.ok(!two.ok);
  });

  it("has a flag and a variable of its own for every setting", () => {
    assert.ok(settings.length > 15);
    assert.equal(new Set(settings.map(({ flag }) => flag)).size, settings.length);
    assert.equal(new Set(settings.map(({ variable }) => variable)).size, settings.length);
  });
});
