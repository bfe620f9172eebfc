// Joining over the network with real processes: applications by token, a host by its agent, processes by the kernel.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ControlInfo } from "@ripstop/model";
import { Mesh, type Running } from "./mesh.ts";
import { ProtoClient, type X509SvidResponseMessage } from "./spiffe-clients.ts";

const node = realpathSync(process.execPath);
const uid = process.getuid?.() ?? 0;

describe("joining over the network", () => {
  let mesh: Mesh;
  let address: string;

  beforeEach(async () => {
    mesh = new Mesh();
    await mesh.startControl();
    address = (JSON.parse((await mesh.api("GET", "/v1/info")).body) as ControlInfo).joinAddress;
  });
  afterEach(() => mesh.stop());

  /** Makes a token; the path of its file. */
  async function token(name: string, args: readonly string[]): Promise<string> {
    const made = await mesh.command(["token", "create", ...args, "-o", "json"]);
    assert.equal(made.code, 0, made.output);
    const file = join(mesh.home, `${name}.token`);
    writeFileSync(file, (JSON.parse(made.output) as { token: string }).token, { mode: 0o600 });
    return file;
  }

  /** A home of another host: nothing of the control plane's is in it. */
  const elsewhere = (name: string): NodeJS.ProcessEnv => ({ RIPSTOP_HOME: join(mesh.home, name) });
  const run = (file: string, service: string): Running =>
    mesh.ripstop(
      [
        ...["run", "--join", address, "--token-file", file, "--namespace", "shop", "--service", service],
        ...["--", node, "--eval", "console.log('it runs'); process.stdin.resume()"],
      ],
      elsewhere("host"),
    );

  it("runs an application that has nothing but a token, once, and as nobody else", async () => {
    const file = await token("web", ["--namespace", "shop", "--service-account", "web"]);
    const other = run(file, "payments");
    assert.equal(await other.ended, 125);
    assert.match(other.output(), /RS3043.*is for shop\/web, not for shop\/payments/);
    const web = run(file, "web");
    await web.printed(/it runs/);
    assert.match((await mesh.command(["status"])).output, /shop\/web +- +spiffe:\/\/mesh\.local\/ns\/shop\/sa\/web/);
    const second = run(file, "web");
    assert.equal(await second.ended, 125);
    assert.match(second.output(), /RS3041/);
    web.child.stdin?.end();
    assert.equal(await web.ended, 0);
    assert.match((await mesh.command(["token", "list"])).output, /sa\/web +used/);
  });

  it("does not send a token to a server that is not the mesh's", async () => {
    const file = await token("web", ["--namespace", "shop", "--service-account", "web"]);
    const impostor = new Mesh();
    await impostor.startControl();
    const { joinAddress } = JSON.parse((await impostor.api("GET", "/v1/info")).body) as ControlInfo;
    const web = mesh.ripstop(
      ["run", "--join", joinAddress, "--token-file", file, "--service", "web", "--", "true"],
      elsewhere("host"),
    );
    const code = await web.ended;
    await impostor.stop();
    assert.equal(code, 125);
    assert.match(web.output(), /RS4021/);
    assert.match((await mesh.command(["token", "list"])).output, /ready/);
  });

  it("gives the processes of a host their identities by the kernel's word, and comes back without a token", async () => {
    const entry = (name: string, process: string): string =>
      `apiVersion: ripstop.mesh/v1alpha1\nkind: WorkloadIdentity\nmetadata: {name: ${name}, namespace: shop}\nspec: {nodes: [edge-1], process: ${process}}\n---\n`;
    const sha256 = spawnSync("sha256sum", [node]).stdout.toString().slice(0, 64);
    const manifest =
      entry("web", `{uid: ${uid}, executable: ${node}, sha256: "${sha256}"}`) +
      entry("other-user", `{uid: ${uid + 1}}`) +
      entry("other-program", `{executable: /usr/bin/payments}`) +
      entry("other-bytes", `{executable: ${node}, sha256: "${"0".repeat(64)}"}`) +
      entry("other-group", "{cgroup: /nowhere.slice}");
    const applied = await mesh.command(["apply", "-f", "-"], manifest);
    assert.equal(applied.code, 0, applied.output);
    const file = await token("edge-1", ["--node", "edge-1"]);
    const agentArgs = ["agent", "--join", address, "--name", "edge-1"];
    const agent = mesh.ripstop([...agentArgs, "--token-file", file], elsewhere("edge"));
    const [, endpoint = ""] = await agent.printed(/^SPIFFE_ENDPOINT_SOCKET=(\S+)$/m);
    assert.match(agent.output(), /agent of spiffe:\/\/mesh\.local\/node\/edge-1/);
    const client = new ProtoClient(endpoint);
    const stream = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    const ids = (await stream.next()).svids.map(({ spiffeId }) => spiffeId);
    assert.deepEqual(ids, ["spiffe://mesh.local/ns/shop/sa/web"]);

    const jwt = await client.call<{ svids: { spiffeId: string }[] }>("FetchJWTSVID", { audience: ["bank"] });
    assert.deepEqual(
      jwt.svids.map(({ spiffeId }) => spiffeId),
      ids,
    );

    // An entry that comes later reaches the open stream; one that goes takes its identity along.
    await mesh.command(["apply", "-f", "-"], entry("second", `{uid: ${uid}}`));
    while ((await stream.next()).svids.length !== 2);
    await mesh.command(["delete", "workloadidentity", "second", "--namespace", "shop"]);
    while ((await stream.next()).svids.length !== 1);
    stream.cancel();
    client.close();

    agent.child.kill("SIGKILL");
    await agent.ended;
    const again = mesh.ripstop(agentArgs, elsewhere("edge"));
    await again.printed(/^SPIFFE_ENDPOINT_SOCKET=(\S+)$/m);
    assert.match((await mesh.command(["node", "list"])).output, /edge-1 .*token/);
    await mesh.command(["node", "remove", "edge-1"]);
    again.child.kill("SIGTERM");
    assert.equal(await again.ended, 0);
    const removed = mesh.ripstop(agentArgs, elsewhere("edge"));
    assert.equal(await removed.ended, 1);
    assert.match(removed.output(), /RS3049/);
  });
});
