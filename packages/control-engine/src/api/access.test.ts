// Who may do what through the API, over real TLS.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";

import type { ApiError, AuditPage, CallerView, HistoryPage } from "@ripstop/model";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { TestControl } from "../control.fixture.ts";
import { createToken, RemoteCaller, serviceText } from "./api.fixture.ts";

const code = (text: string): string => (JSON.parse(text) as ApiError).error.code;

describe("the API over TLS", () => {
  let mesh: TestControl;
  before(async () => {
    mesh = await TestControl.start({ api: { address: { host: "127.0.0.1", port: 0 } } });
    await mesh.apply(serviceText("shop", "web") + serviceText("bank", "vault"));
  });
  after(() => mesh.close());

  const audit = async (query: string): Promise<AuditPage["entries"]> =>
    (await mesh.send("GET", `/v1/audit?${query}`)).json<AuditPage>().entries;

  it("answers nothing but health to who does not say who calls", async () => {
    const stranger = new RemoteCaller(mesh, undefined);
    assert.equal((await stranger.send("GET", "/healthz")).status, 200);
    for (const path of [
      "/v1/info",
      "/v1/resources",
      "/v1/kinds",
      "/metrics",
      "/v1/openapi.json",
      "/v1/access/tokens",
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await stranger.send("GET", path);
      assert.equal(answer.status, 401, path);
      assert.equal(code(answer.text), "RS3025");
      assert.equal(answer.headers["www-authenticate"], "Bearer");
    }
    assert.equal((await stranger.apply(serviceText("shop", "evil"))).status, 401);
  });

  it("shows the control plane's own SVID, with the root that it ends in", async () => {
    const socket = connect({
      host: "127.0.0.1",
      port: Number(mesh.control.apiAddress?.split(":")[1]),
      rejectUnauthorized: false,
    });
    const subject = await new Promise<string | undefined>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("secureConnect", () => resolve(socket.getPeerCertificate().subjectaltname));
    });
    assert.equal(socket.getProtocol(), "TLSv1.3");
    socket.destroy();
    assert.match(subject ?? "", /^URI:spiffe:\/\/mesh\.local\//);
  });

  it("lets a viewer look at its namespace, and at nothing else", async () => {
    const viewer = await RemoteCaller.make(mesh, { role: "viewer", namespaces: ["shop"] });
    const list = (await viewer.send("GET", "/v1/resources")).json<{ resources: { metadata: { name: string } }[] }>();
    assert.deepEqual(
      list.resources.map(({ metadata }) => metadata.name),
      ["web"],
    );
    assert.equal((await viewer.send("GET", "/v1/resources/service/shop/web")).status, 200);
    const there = await viewer.send("GET", "/v1/resources/service/bank/vault");
    const notThere = await viewer.send("GET", "/v1/resources/service/bank/nothing");
    assert.deepEqual([there.status, notThere.status], [403, 403]);
    assert.equal((await viewer.send("GET", "/v1/resources?namespace=bank")).status, 403);
    const { revisions } = (await viewer.send("GET", "/v1/revisions")).json<HistoryPage>();
    assert.deepEqual(
      revisions.flatMap(({ changes }) => changes.map(({ resource }) => resource)),
      ["Service shop/web"],
    );
    assert.equal((await viewer.apply(serviceText("shop", "more"))).status, 403);
    assert.equal((await viewer.send("GET", "/v1/workloads")).status, 403);
    assert.equal((await viewer.send("GET", "/v1/audit")).status, 403);
    assert.equal(
      (await viewer.send("POST", "/v1/diff", { documents: [{ file: "a", text: serviceText("bank", "x") }] })).status,
      403,
    );
  });

  it("lets an editor change its namespace, all or nothing, under its own name", async () => {
    const editor = await RemoteCaller.make(mesh, { name: "ci", role: "editor", namespaces: ["shop"] });
    const denied = await editor.apply(serviceText("shop", "one") + serviceText("bank", "two"));
    assert.equal(denied.status, 403);
    assert.match(denied.text, /RS3026.*Service bank\/two needs the role editor in namespace bank/);
    assert.equal((await mesh.send("GET", "/v1/resources/service/shop/one")).status, 404);
    const done = await editor.apply(serviceText("shop", "one"), { author: "the boss", reason: "because" });
    assert.equal(done.status, 200, done.text);
    const { revisions } = (await mesh.send("GET", "/v1/revisions?limit=1")).json<HistoryPage>();
    assert.match(revisions[0]?.author ?? "", /^token ci \([0-9a-f]{12}\)$/);
    assert.equal((await editor.send("DELETE", "/v1/resources/service/bank/vault")).status, 403);
    assert.equal((await editor.send("POST", "/v1/rollback", { to: 0 })).status, 403);
    assert.equal((await editor.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")).status, 403);
    assert.equal(
      (await editor.send("POST", "/v1/access/tokens", { name: "a", role: "admin", ttlMs: 60_000 })).status,
      403,
    );
    assert.equal((await editor.send("DELETE", "/v1/resources/service/shop/one?dryRun=true")).status, 200);
    assert.equal((await editor.send("DELETE", "/v1/resources/service/shop/one")).status, 200);
  });

  it("lets an admin do everything", async () => {
    const admin = await RemoteCaller.make(mesh);
    assert.equal((await admin.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")).status, 200);
    assert.equal((await admin.send("GET", "/v1/workloads")).status, 200);
    const who = (await admin.send("GET", "/v1/access/whoami")).json<CallerView>();
    assert.deepEqual(who.grants, [{ role: "admin" }]);
  });

  it("keeps no secret, and forgets a token at once when it is revoked", async () => {
    const made = await createToken(mesh, { name: "gone", role: "viewer" });
    const caller = new RemoteCaller(mesh, made.token);
    assert.equal((await caller.send("GET", "/v1/info")).status, 200);
    const list = (await mesh.send("GET", "/v1/access/tokens")).text;
    // The secret is base64url: it may contain "_" itself.
    const secret = made.token.slice(made.token.indexOf(made.id) + made.id.length + 1);
    assert.ok(secret.length >= 32, `${secret.length} characters of secret`);
    assert.ok(!list.includes(secret));
    assert.ok(!readFileSync(join(mesh.home, "store", "data.mdb")).includes(secret));
    assert.equal((await mesh.send("DELETE", `/v1/access/tokens/${made.id}`)).status, 200);
    assert.equal((await caller.send("GET", "/v1/info")).status, 401);
    const changed = new RemoteCaller(mesh, `${made.token.slice(0, -1)}${made.token.endsWith("A") ? "B" : "A"}`);
    assert.equal((await changed.send("GET", "/v1/info")).status, 401);
  });

  it("writes every write and every refusal into the audit log, for its owner alone", async () => {
    const editor = await RemoteCaller.make(mesh, { name: "deployer", role: "editor", namespaces: ["shop"] });
    await editor.apply(serviceText("shop", "audited"), { reason: "release 7" });
    await editor.send("DELETE", "/v1/resources/service/bank/vault");
    const [write] = await audit("limit=1");
    assert.match(write?.caller ?? "", /^token deployer/);
    assert.deepEqual(
      [write?.by, write?.from, write?.action, write?.decision, write?.message, write?.resources],
      ["token", "127.0.0.1", "POST /v1/apply", "done", "release 7", ["Service shop/audited"]],
    );
    assert.ok((write?.revision ?? 0) > 0);
    const [refusal] = await audit("limit=1&refused=true");
    assert.deepEqual(
      [refusal?.action, refusal?.decision, refusal?.code, refusal?.status],
      ["DELETE /v1/resources/service/bank/vault", "refused", "RS3026", 403],
    );
    for (const name of ["writes.jsonl", "refusals.jsonl"]) {
      assert.equal(statSync(join(mesh.home, "audit", name)).mode & 0o777, 0o600);
    }
    const before = await audit("limit=5000");
    await editor.send("GET", "/v1/resources");
    await editor.send("POST", "/v1/diff", { documents: [{ file: "a", text: serviceText("shop", "x") }] });
    assert.equal((await audit("limit=5000")).length, before.length);
  });

  it("lets people log in with an ID token, with the roles that bindings give them now", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const jwk = { ...(await exportJWK(publicKey)), kid: "one" };
    const binding = (role: string): string =>
      `apiVersion: ripstop.mesh/v1alpha1\nkind: AccessBinding\nmetadata: {name: shop-team}\nspec:\n  role: ${role}\n  namespaces: [shop]\n  subjects: [{issuer: company, claim: groups, value: shop-team}]\n`;
    await mesh.apply(
      `apiVersion: ripstop.mesh/v1alpha1\nkind: LoginIssuer\nmetadata: {name: company}\nspec:\n  issuer: https://login.example\n  audience: ripstop\n  nameClaim: email\n  jwks: {keys: [${JSON.stringify(jwk)}]}\n---\n${binding("viewer")}`,
    );
    const sign = (claims: Record<string, unknown>, audience = "ripstop"): Promise<string> =>
      new SignJWT({ email: "jo@example.com", ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setIssuer("https://login.example")
        .setSubject("jo")
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime("5m")
        .sign(privateKey);
    const jo = new RemoteCaller(mesh, await sign({ groups: ["all", "shop-team"] }));
    assert.equal((await jo.send("GET", "/v1/resources/service/shop/web")).status, 200);
    assert.equal((await jo.apply(serviceText("shop", "by-jo"))).status, 403);
    await mesh.apply(binding("editor"));
    assert.equal((await jo.apply(serviceText("shop", "by-jo"))).status, 200);
    const [write] = await audit("limit=1");
    assert.deepEqual([write?.caller, write?.by], ["jo@example.com of company", "oidc"]);
    const other = new RemoteCaller(mesh, await sign({ groups: ["all"] }));
    assert.equal((await other.send("GET", "/v1/resources")).status, 403);
    const elsewhere = new RemoteCaller(mesh, await sign({ groups: ["shop-team"] }, "another"));
    assert.equal((await elsewhere.send("GET", "/v1/resources")).status, 401);
  });
});

describe("an API that is attacked", () => {
  it("stops answering an address whose credentials are refused again and again", async () => {
    const mesh = await TestControl.start({ api: { address: { host: "127.0.0.1", port: 0 } } });
    try {
      const guesser = new RemoteCaller(mesh, "ripstop_000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
      const statuses: number[] = [];
      while (!statuses.includes(429) && statuses.length < 1_000) {
        // oxlint-disable-next-line no-await-in-loop -- one guess after the other
        statuses.push((await guesser.send("GET", "/v1/info")).status);
      }
      assert.equal(statuses.at(-1), 429);
      assert.ok(statuses.length > 20);
      // The socket is another door.
      assert.equal((await mesh.send("GET", "/v1/info")).status, 200);
    } finally {
      await mesh.close();
    }
  });
});
