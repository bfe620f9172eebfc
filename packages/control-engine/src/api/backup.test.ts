// A backup is whole, and can be put back into a running mesh or into an empty home.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { serviceType, type HistoryPage, type RestoreResponse } from "@ripstop/model";

import { restoreHome } from "../backup/restore-home.ts";
import { resourceWhen, TestControl, type Answer } from "../control.fixture.ts";
import { createToken, RemoteCaller, serviceText } from "./api.fixture.ts";

const PASSPHRASE = "correct horse battery";

describe("a backup", () => {
  let mesh: TestControl;
  const homes: string[] = [];
  before(async () => {
    mesh = await TestControl.start({ api: { address: { host: "127.0.0.1", port: 0 } } });
  });
  after(() => mesh.close());
  afterEach(() => {
    for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
  });

  const backup = async (body: object = {}): Promise<string> => {
    const answer = await mesh.send("POST", "/v1/backup", body);
    assert.equal(answer.status, 200, answer.text);
    return answer.text;
  };
  const restore = (text: string, query = ""): Promise<Answer> => mesh.send("POST", `/v1/restore?${query}`, text);
  const emptyHome = (): string => {
    const home = mkdtempSync(join(tmpdir(), "ripstop-restored-"));
    homes.push(home);
    return home;
  };

  it("brings back what was changed and deleted since, as one new revision, and proxies stay connected", async () => {
    await mesh.apply(serviceText("shop", "kept") + serviceText("shop", "changed") + serviceText("shop", "deleted"));
    const web = await mesh.register("web");
    const client = await mesh.client(web);
    const taken = await backup();
    await mesh.apply(serviceText("shop", "changed").replace("port: 80", "port: 81") + serviceText("shop", "new"));
    await mesh.send("DELETE", "/v1/resources/service/shop/deleted");
    await resourceWhen(client, { type: serviceType, name: "shop/changed" }, (one) => one?.ports[0]?.port === 81);
    const newest = (await mesh.send("GET", "/v1/revisions?limit=1")).json<HistoryPage>().revisions[0]?.number ?? 0;
    const dry = (await restore(taken, "dryRun=true")).json<RestoreResponse>();
    const expected = ["Service shop/changed configured", "Service shop/deleted created", "Service shop/new deleted"];
    const actions = ({ changes }: RestoreResponse): string[] =>
      changes.map(({ resource, action }) => `${resource} ${action}`).toSorted();
    assert.deepEqual([dry.revision, actions(dry)], [0, expected]);
    const done = (await restore(taken)).json<RestoreResponse>();
    assert.deepEqual([done.revision, actions(done)], [newest + 1, expected]);
    const live = await resourceWhen(
      client,
      { type: serviceType, name: "shop/changed" },
      (one) => one?.ports[0]?.port === 80,
    );
    assert.ok(live);
    assert.equal((await restore(taken)).json<RestoreResponse>().changes.length, 0);
  });

  it("revokes again what was revoked then, and takes back nothing that was revoked since", async () => {
    await mesh.send("POST", "/v1/identity/revocations", { spiffeId: "spiffe://mesh.local/ns/shop/sa/old", waitMs: 0 });
    const taken = await backup();
    await mesh.send(
      "DELETE",
      `/v1/identity/revocations?spiffeId=${encodeURIComponent("spiffe://mesh.local/ns/shop/sa/old")}`,
    );
    await mesh.send("POST", "/v1/identity/revocations", { spiffeId: "spiffe://mesh.local/ns/shop/sa/new", waitMs: 0 });
    assert.equal((await restore(taken)).json<RestoreResponse>().revoked, 1);
    const { text } = await mesh.send("GET", "/v1/identity/revocations");
    assert.match(text, /sa\/old/);
    assert.match(text, /sa\/new/);
  });

  it("that is cut short, changed, or of another mesh is refused, and nothing changes", async () => {
    const taken = await backup();
    const cut = taken.split("\n").slice(0, -2).join("\n");
    const changed = taken.replace("kept", "kepd");
    const before = (await mesh.send("GET", "/v1/resources")).text;
    for (const text of [cut, changed, "", "{}", "x\ny\n"]) {
      // oxlint-disable-next-line no-await-in-loop -- a table
      const answer = await restore(text);
      assert.equal(answer.status, 422, answer.text);
      assert.match(answer.text, /RS3035/);
    }
    const other = await TestControl.start({ trustDomain: "other.example" });
    try {
      const answer = await other.send("POST", "/v1/restore", taken);
      assert.match(answer.text, /RS3035.*it is of mesh\.local, this mesh is other\.example/);
    } finally {
      await other.close();
    }
    assert.equal((await mesh.send("GET", "/v1/resources")).text, before);
  });

  it("has keys only encrypted, only on the socket, and brings the same authority to an empty home", async () => {
    await mesh.apply(serviceText("shop", "kept"));
    const plain = await backup();
    const withKeys = await backup({ passphrase: PASSPHRASE });
    for (const text of [plain, withKeys]) assert.doesNotMatch(text, /PRIVATE KEY/);
    assert.equal((await mesh.send("POST", "/v1/backup", { passphrase: "short" })).status, 400);
    const admin = new RemoteCaller(mesh, (await createToken(mesh)).token);
    assert.equal((await admin.send("POST", "/v1/backup", { passphrase: PASSPHRASE })).status, 422);
    assert.equal((await admin.send("POST", "/v1/backup", {})).status, 200);
    const viewer = await RemoteCaller.make(mesh, { role: "viewer" });
    assert.equal((await viewer.send("POST", "/v1/backup", {})).status, 403);

    const home = emptyHome();
    const wrong = await restoreHome(home, withKeys, "another passphrase");
    assert.ok(!wrong.ok);
    const restored = await restoreHome(home, withKeys, PASSPHRASE);
    assert.ok(restored.ok, JSON.stringify(restored));
    for (const name of ["root.key.pem", "intermediate.key.pem"]) {
      const path = join(home, "authority", name);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.deepEqual(readFileSync(path), readFileSync(join(mesh.home, "authority", name)));
    }
    assert.ok(!(await restoreHome(home, plain, undefined)).ok);
    const again = await TestControl.start({ home });
    try {
      const [then, now] = await Promise.all([mesh.send("GET", "/v1/revisions"), again.send("GET", "/v1/revisions")]);
      assert.equal(now.text, then.text);
      assert.equal((await again.send("GET", "/v1/resources/service/shop/kept")).status, 200);
      const bundle = async (control: TestControl): Promise<string> =>
        (await control.send("GET", "/v1/identity/bundle")).json<{ pem: string }>().pem;
      assert.equal(await bundle(again), await bundle(mesh));
    } finally {
      await again.close();
    }
  });
});
