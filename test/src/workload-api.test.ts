// The SPIFFE Workload API beside an application: independent clients fetch, stream and check identities, unchanged.

import assert from "node:assert/strict";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { TestAuthority } from "@ripstop/testkit";
import { Mesh, root, start, type Running } from "./mesh.ts";
import { needsProgram } from "./requirements.ts";
import {
  needsPySpiffe,
  ProtoClient,
  pythonOfSpiffe,
  spiffeMetadata,
  type X509SvidResponseMessage,
} from "./spiffe-clients.ts";

const ID = "spiffe://mesh.local/ns/shop/sa/web";
/** An application that tells where its Workload API is, and ends with its standard input. */
const application = "console.log('socket ' + process.env.SPIFFE_ENDPOINT_SOCKET); process.stdin.resume()";

interface Update {
  readonly kind: string;
  readonly id?: string;
  readonly serial?: string;
  readonly domains?: readonly string[];
  readonly reason?: string;
}

describe("the Workload API beside an application", () => {
  const mesh = new Mesh();
  let web: Running;
  let address = "";
  let client: ProtoClient;

  before(async () => {
    await mesh.startControl();
    web = mesh.ripstop([
      "run",
      "--service",
      "web",
      "--namespace",
      "shop",
      "--",
      process.execPath,
      "--eval",
      application,
    ]);
    [, address = ""] = await web.printed(/^socket (\S+)$/m);
    client = new ProtoClient(address);
  });
  after(() => mesh.stop());
  after(() => client.close());

  /** Another trust domain comes or goes: every stream is to tell. */
  async function federate(trustDomain: string, isThere: boolean): Promise<void> {
    const name = trustDomain.replaceAll(".", "-");
    if (!isThere) {
      assert.equal((await mesh.api("DELETE", `/v1/resources/FederatedTrustDomain/-/${name}`)).status, 200);
      return;
    }
    const { bundlePem } = await TestAuthority.create(trustDomain);
    const resource = {
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "FederatedTrustDomain",
      metadata: { name },
      spec: { trustDomain, bundle: bundlePem },
    };
    const { code, output } = await mesh.command(["apply", "-f", "-"], JSON.stringify(resource));
    assert.equal(code, 0, output);
  }

  it("is a socket for the user alone, in the application's environment", () => {
    assert.match(address, /^unix:\/\/\/.*\/workload\.sock$/);
    assert.equal(statSync(address.slice("unix://".length)).mode & 0o777, 0o600);
  });

  it("gives a chain, its key and the bundle, which belong together", async () => {
    const stream = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    const { svids } = await stream.next();
    stream.cancel();
    const [svid] = svids;
    assert.ok(svid);
    assert.equal(svids.length, 1);
    assert.equal(svid.spiffeId, ID);
    const leaf = new X509Certificate(svid.x509Svid);
    assert.equal(leaf.subjectAltName, `URI:${ID}`);
    const intermediate = new X509Certificate(svid.x509Svid.subarray(leaf.raw.length));
    assert.ok(leaf.verify(intermediate.publicKey));
    assert.ok(intermediate.verify(new X509Certificate(svid.bundle).publicKey));
    assert.ok(leaf.checkPrivateKey(createPrivateKey({ key: svid.x509SvidKey, format: "der", type: "pkcs8" })));
  });

  it("wants the security header on every method", async () => {
    for (const metadata of [new Metadata(), withHeader("false"), withHeader("TRUE"), withHeader("true,true")]) {
      for (const method of ["FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"]) {
        await assert.rejects(client.stream(method, metadata).next(), { code: status.INVALID_ARGUMENT }, method);
      }
      for (const method of ["FetchJWTSVID", "ValidateJWTSVID"]) {
        await assert.rejects(
          client.call(method, { audience: ["orders"], svid: "x" }, metadata),
          { code: status.INVALID_ARGUMENT, details: /workload\.spiffe\.io/ },
          method,
        );
      }
    }
  });

  it("answers UNIMPLEMENTED to the profile that it does not serve", async () => {
    await assert.rejects(client.stream("FetchWITSVID").next(), { code: status.UNIMPLEMENTED });
  });

  it("issues JWT-SVIDs of the own identity for an audience, and of no other", async () => {
    const { svids } = await client.call<{ svids: { spiffeId: string; svid: string }[] }>("FetchJWTSVID", {
      audience: ["orders"],
    });
    assert.deepEqual(
      svids.map(({ spiffeId }) => spiffeId),
      [ID],
    );
    const valid = await client.call<{ spiffeId: string; claims: { fields: Record<string, unknown> } }>(
      "ValidateJWTSVID",
      { audience: "orders", svid: svids[0]?.svid },
    );
    assert.equal(valid.spiffeId, ID);
    assert.deepEqual(Object.keys(valid.claims.fields).sort(), ["aud", "exp", "iat", "jti", "sub"]);
    for (const [request, code] of [
      [{ audience: [] }, status.INVALID_ARGUMENT],
      [{ audience: [""] }, status.INVALID_ARGUMENT],
      [{ audience: ["orders"], spiffeId: "spiffe://mesh.local/ns/shop/sa/admin" }, status.PERMISSION_DENIED],
    ] as const) {
      await assert.rejects(client.call("FetchJWTSVID", request), { code });
    }
    for (const request of [
      { audience: "others", svid: svids[0]?.svid },
      { audience: "", svid: svids[0]?.svid },
      { audience: "orders", svid: "" },
      { audience: "orders", svid: `${svids[0]?.svid}x` },
    ]) {
      await assert.rejects(client.call("ValidateJWTSVID", request), { code: status.INVALID_ARGUMENT });
    }
  });

  it("streams the whole set again when a bundle comes and when it goes", async () => {
    const svids = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    const bundles = client.stream<{ bundles: Record<string, Buffer> }>("FetchX509Bundles");
    assert.deepEqual(Object.keys((await svids.next()).federatedBundles), []);
    assert.deepEqual(Object.keys((await bundles.next()).bundles), ["spiffe://mesh.local"]);
    await federate("partner.example", true);
    const update = await svids.next();
    assert.deepEqual(Object.keys(update.federatedBundles), ["spiffe://partner.example"]);
    assert.equal(update.svids[0]?.spiffeId, ID);
    assert.deepEqual(Object.keys((await bundles.next()).bundles).sort(), [
      "spiffe://mesh.local",
      "spiffe://partner.example",
    ]);
    await federate("partner.example", false);
    assert.deepEqual(Object.keys((await svids.next()).federatedBundles), []);
    assert.deepEqual(Object.keys((await bundles.next()).bundles), ["spiffe://mesh.local"]);
    svids.cancel();
    bundles.cancel();
  });

  // Not everybody who runs the tests has Python, or reaches its package index: the client above runs everywhere.
  const withoutPython = needsPySpiffe();
  if (withoutPython !== false) process.stdout.write(`no test with py-spiffe: ${withoutPython}\n`);
  const pythonTest = withoutPython === false ? it : it.todo;
  pythonTest("serves py-spiffe unchanged: it fetches, checks and streams", async () => {
    const program = mesh.program(pythonOfSpiffe, [join(root, "test/peers/py-spiffe/client.py")], {
      SPIFFE_ENDPOINT_SOCKET: address,
    });
    const lines = createInterface({ input: program.child.stdout! })[Symbol.asyncIterator]();
    const next = async (): Promise<Update> => {
      const { value, done } = await lines.next();
      assert.ok(!done, program.output());
      return JSON.parse(value) as Update;
    };
    assert.deepEqual(await next(), { kind: "x509", id: ID, chain: 2 });
    assert.deepEqual(await next(), { kind: "jwt", id: ID, audience: ["orders"] });
    assert.deepEqual(await next(), { kind: "validated", id: ID });
    assert.match((await next()).reason ?? "", /not meant for this audience/);
    assert.deepEqual(await next(), { kind: "jwt-bundles", domains: ["mesh.local"] });
    assert.deepEqual(await next(), { kind: "locally-validated", id: ID });
    assert.deepEqual((await next()).domains, ["mesh.local"]);
    await federate("partner.example", true);
    assert.deepEqual((await next()).domains, ["mesh.local", "partner.example"]);
    await federate("partner.example", false);
    assert.deepEqual((await next()).domains, ["mesh.local"]);
    program.child.stdin?.end();
    assert.equal(await program.ended, 0);
  });

  // Its first build takes minutes, so it is built on request only.
  if (process.env["RIPSTOP_GO_SPIFFE"] !== undefined)
    it("serves go-spiffe unchanged", { skip: needsProgram("go", "https://go.dev/dl") }, async () => {
      const program = start("go", ["run", "."], {
        cwd: join(root, "test/peers/go-spiffe"),
        env: { ...process.env, SPIFFE_ENDPOINT_SOCKET: address },
      });
      assert.equal(await program.ended, 0, program.output());
      assert.match(program.output(), new RegExp(`x509 ${ID} 2 1`));
      assert.match(program.output(), new RegExp(`locally validated ${ID}`));
    });

  it("keeps serving while the control plane is away, except for new JWT-SVIDs", async () => {
    const before = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    const known = digest(await before.next());
    mesh.control?.child.kill("SIGKILL");
    await mesh.control?.ended;
    const again = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    assert.equal(digest(await again.next()), known);
    await assert.rejects(client.call("FetchJWTSVID", { audience: ["orders"] }), { code: status.UNAVAILABLE });
    await mesh.startControl();
    await mesh.until("JWT-SVIDs are issued again", () =>
      client.call("FetchJWTSVID", { audience: ["orders"] }).then(
        () => true,
        () => undefined,
      ),
    );
    assert.equal(statSync(address.slice("unix://".length)).isSocket(), true);
    before.cancel();
    again.cancel();
  });

  it("ends its streams when the application ends", async () => {
    const stream = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    await stream.next();
    web.child.kill("SIGTERM");
    await assert.rejects(stream.next(), { code: status.UNAVAILABLE });
    await web.ended;
    assert.throws(() => statSync(address.slice("unix://".length)), { code: "ENOENT" });
  });
});

function withHeader(value: string): Metadata {
  const metadata = spiffeMetadata();
  metadata.set("workload.spiffe.io", value);
  return metadata;
}

function digest(response: X509SvidResponseMessage): string {
  return createHash("sha256").update(JSON.stringify(response)).digest("hex");
}
