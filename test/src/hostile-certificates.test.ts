// Every row of the table of hostile certificates (docs/reference/hostile-certificates.md), presented to a running proxy
// that trusts the root it is signed with: the verdict is what the proxy counts, and it goes on to serve.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { meshServerName } from "@ripstop/net";
import { caOf, certificateCases, ecKey, rawTls, verdictsOf, type HostileWorld } from "@ripstop/testkit/hostile";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";

describe("a running proxy and a hostile certificate", () => {
  const mesh = new Mesh();
  let client: MeshClient;
  let world: HostileWorld;
  let target = { host: "", port: 0, serverName: "" };
  let adminSocket = "";

  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    client = await MeshClient.start(mesh, "caller");
    await mesh.until("echo is ready", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { id: string; service: string; inboundAddress: string; applicationAddress: string }[];
    };
    const echo = workloads.find(({ service }) => service === "echo");
    assert.ok(echo);
    const [host = "", port = ""] = echo.inboundAddress.split(":");
    const applicationPort = Number(echo.applicationAddress.split(":")[1]);
    target = { host, port: Number(port), serverName: meshServerName(echo.id, applicationPort) ?? "" };
    const authority = join(mesh.home, "authority");
    const pem = (name: string): string => readFileSync(join(authority, name), "utf8");
    world = {
      trustDomain: mesh.controlFile().trustDomain,
      root: caOf(pem("root.crt.pem"), pem("root.key.pem")),
      intermediate: caOf(pem("intermediate.crt.pem"), pem("intermediate.key.pem")),
      federated: undefined,
    };
    adminSocket = findAdminSocket(mesh.home, echo.id);
  });
  after(() => mesh.stop());

  /** The proxy's counters of handshakes as a server: "accepted" and each reason. */
  async function verdicts(): Promise<ReadonlyMap<string, number>> {
    const text = await get(adminSocket, "/metrics");
    const found = new Map<string, number>();
    for (const [, labels = "", value] of text.matchAll(/^ripstop_tls_handshakes_total\{([^}]*)\} (\d+)$/gm)) {
      if (!labels.includes('side="server"')) continue;
      const reason = /reason="([^"]*)"/.exec(labels)?.[1] ?? "";
      found.set(reason === "" ? "accepted" : reason, Number(value) + (found.get(reason) ?? 0));
    }
    return found;
  }

  for (const row of certificateCases.filter(({ needsFederation }) => needsFederation !== true)) {
    it(`${row.title}: ${row.verdict}`, async () => {
      const count = async (): Promise<number> => {
        const found = await verdicts();
        return verdictsOf(row).reduce((sum, verdict) => sum + (found.get(verdict) ?? 0), 0);
      };
      const counted = await count();
      const fate = await rawTls({
        ...row.make(world),
        ...target,
        alpn: "h2",
        ...(row.stolen === true ? { signWith: ecKey() } : {}),
      });
      assert.equal(fate === "open", row.verdict === "accepted", fate);
      // More than one where a proxy of the mesh has made a connection of its own meanwhile.
      await mesh.until(`${row.verdict} is counted`, async () => ((await count()) > counted ? true : undefined));
    });
  }

  it("goes on to serve those who are in order", async () => {
    assert.equal((await client.send("http://echo/")).status, 200);
  });
});

function findAdminSocket(home: string, workloadId: string): string {
  const name = workloadId.split("/")[1] ?? "";
  const found = readdirSync(home, { recursive: true, encoding: "utf8" }).find(
    (path) => path.includes(name) && path.endsWith("admin.sock"),
  );
  assert.ok(found !== undefined, `no admin socket of ${workloadId} in ${home}`);
  return join(home, found);
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
