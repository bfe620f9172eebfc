// A LoadBalancingPolicy in a real mesh: zones and weights of `ripstop run`, subsets, sessions, and what the proxy shows.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MeshClient, type Answer } from "./http-client.ts";
import { Mesh, type Running } from "./mesh.ts";
import { echoServer } from "./programs.ts";

const POLICY = `
apiVersion: ripstop.mesh/v1alpha1
kind: LoadBalancingPolicy
metadata: { name: catalog, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: catalog }]
  algorithm: RoundRobin
  locality: {}
  subsets: { label: version, header: x-version, unknown: Refuse }
  healthCheck: { type: HTTP, interval: 1s, timeout: 30s }
`;

describe("a LoadBalancingPolicy", () => {
  const mesh = new Mesh();
  let near: Running;
  let client: MeshClient;

  const nameOf = ({ body }: Answer): string => (JSON.parse(body) as { name: string }).name;
  const ask = (headers: Record<string, string> = {}): Promise<Answer> =>
    client.send("http://catalog.shop/", { headers });
  const names = async (count: number): Promise<Set<string>> =>
    new Set((await Promise.all(Array.from({ length: count }, () => ask()))).map(nameOf));

  before(async () => {
    await mesh.startControl();
    const run = (name: string, options: readonly string[]): Running =>
      mesh.ripstop(
        [
          ...["run", "--namespace", "shop", "--service", "catalog", "--port", "auto", "--region", "eu"],
          ...options,
          ...["--", process.execPath, "--eval", echoServer],
        ],
        { NAME: name },
      );
    near = run("near", ["--zone", "eu-a", "--label", "version=v1"]);
    run("far", ["--zone", "eu-b", "--label", "version=v2", "--label", "ripstop.mesh/weight=3"]);
    await mesh.until("both instances are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.length === 2 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    client = await MeshClient.start(mesh, "web", ["--namespace", "shop", "--region", "eu", "--zone", "eu-a"]);
    await ask();
    const applied = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], POLICY);
    assert.equal(applied.code, 0, applied.output);
  });
  after(() => mesh.stop());

  it("keeps requests in the zone of the caller", async () => {
    await mesh.until("the policy is in force", async () => ((await names(20)).size === 1 ? true : undefined));
    assert.deepEqual(await names(40), new Set(["near"]));
  });

  it("sends requests to the subset that they name, and refuses one that is not there", async () => {
    assert.equal(nameOf(await ask({ "x-version": "v2" })), "far");
    const refused = await ask({ "x-version": "v3" });
    assert.deepEqual([refused.status, refused.headers["x-ripstop-error"]], [503, "RS1065"]);
  });

  it("shows every instance with zone, weight and state", async () => {
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { id: string; service: string }[];
    };
    const web = workloads.find(({ service }) => service === "web")?.id ?? "";
    const shown = await mesh.command(["proxy", "show", web, "endpoints", "-o", "json"]);
    assert.equal(shown.code, 0, shown.output);
    const endpoints = JSON.parse(shown.output) as { zone: string; weight: number; state: string }[];
    assert.deepEqual(
      endpoints
        .map(({ zone, weight, state }) => ({ zone, weight, state }))
        .toSorted((a, b) => (a.zone < b.zone ? -1 : 1)),
      [
        { zone: "eu-a", weight: 1, state: "ready" },
        { zone: "eu-b", weight: 3, state: "ready" },
      ],
    );
    const table = await mesh.command(["proxy", "show", web, "endpoints"]);
    assert.match(table.output, /^SERVICE +ENDPOINT +ADDRESS +ZONE +STATE/);
  });

  it("goes to the next zone when the nearest has nobody left", async () => {
    near.child.kill("SIGTERM");
    await near.ended;
    await mesh.until("the other zone answers", async () => {
      const answer = await ask();
      return answer.status === 200 && nameOf(answer) === "far" ? true : undefined;
    });
  });
});
