// Exchanging the root: what is trusted, who signs, and what is left after a crash at any step.

import "reflect-metadata";

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { createKeyAndCsr } from "../csr/index.ts";
import {
  keyKinds,
  openAuthority,
  startOwnIdentity,
  type AuthorityOptions,
  type IssuedSvid,
  type OpenAuthority,
} from "./index.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";
const DAY = 24 * 3_600_000;

describe("a rotation of the root", () => {
  let directory: string;
  let clock: StoppedClock;
  const opened: OpenAuthority[] = [];

  async function open(more: Partial<AuthorityOptions> = {}): Promise<OpenAuthority> {
    const result = await openAuthority({ directory, trustDomain: "test.mesh", clock, ...more });
    if (!result.ok) throw new Error(result.error.message);
    opened.push(result.value);
    return result.value;
  }

  async function reopen(more: Partial<AuthorityOptions> = {}): Promise<OpenAuthority> {
    for (const authority of opened.splice(0)) await authority.close();
    return open(more);
  }

  async function issue(authority: OpenAuthority): Promise<IssuedSvid> {
    const { csrPem } = await createKeyAndCsr(ID);
    const issued = await authority.issue(csrPem, ID);
    if (!issued.ok) throw new Error(issued.error.message);
    return issued.value;
  }

  /** True when the chain leads to a root of the bundle, which is the one that it says. */
  function isTrusted(svid: IssuedSvid, authority: OpenAuthority): boolean {
    const [leaf, intermediate] = svid.chainPem.split(/(?=-----BEGIN)/).map((pem) => new X509Certificate(pem));
    return authority.bundle().der.some((der) => {
      const root = new X509Certificate(der);
      return (
        leaf!.verify(intermediate!.publicKey) &&
        intermediate!.checkIssued(root) &&
        intermediate!.verify(root.publicKey) &&
        root.fingerprint256.replaceAll(":", "").toLowerCase() === svid.rootSha256
      );
    });
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-rotation-"));
    clock = new StoppedClock(Date.UTC(2026, 5, 1));
  });
  afterEach(async () => {
    for (const authority of opened.splice(0)) await authority.close();
    await rm(directory, { recursive: true });
  });

  it("trusts the new root before it signs, and the old one until nobody needs it", async () => {
    const authority = await open();
    const told: number[] = [];
    authority.onBundleChange(() => told.push(authority.bundle().sequence));
    const before = await issue(authority);
    const [old] = authority.bundle().der;

    assert.ok((await authority.startRotation()).ok);
    assert.equal(authority.bundle().der.length, 2);
    assert.equal(authority.signingRootSha256, before.rootSha256);
    const between = await issue(authority);
    assert.equal(between.rootSha256, before.rootSha256);
    assert.deepEqual(
      authority.roots.map(({ use }) => use),
      ["signing", "next"],
    );

    assert.ok((await authority.switchSigner([])).ok);
    const after = await issue(authority);
    assert.notEqual(after.rootSha256, before.rootSha256);
    for (const svid of [before, between, after]) assert.ok(isTrusted(svid, authority));
    assert.deepEqual(
      authority.roots.map(({ use }) => use),
      ["retiring", "signing"],
    );

    assert.ok((await authority.withdrawOldRoot(["shop/slow"])).ok);
    assert.equal(authority.bundle().der.length, 1);
    assert.notDeepEqual(authority.bundle().der[0], old);
    assert.ok(isTrusted(after, authority) && !isTrusted(before, authority));
    assert.ok((await authority.finishRotation([])).ok);
    assert.equal(authority.rotation, undefined);
    assert.deepEqual(authority.lastRotation?.forced, ["shop/slow"]);
    assert.deepEqual(told, [2, 2, 3, 3]);
  });

  it("destroys the key of the old root", async () => {
    const authority = await open();
    await authority.startRotation();
    await authority.switchSigner([]);
    await authority.withdrawOldRoot([]);
    const files = (await readdir(directory)).filter((name) => name.endsWith(".pem"));
    assert.equal(files.length, 4, files.join(" "));
    assert.ok(!files.includes("root.key.pem") && !files.includes("intermediate.key.pem"));
  });

  it("gives the new root another name than the old one", async () => {
    const authority = await open();
    await authority.startRotation();
    const [first, second] = authority.roots.map(({ subject }) => subject);
    assert.notEqual(first, second);
  });

  it("can be given up until the new root signs, and not after", async () => {
    const authority = await open();
    const before = await issue(authority);
    await authority.startRotation();
    assert.ok((await authority.abortRotation()).ok);
    assert.equal(authority.bundle().der.length, 1);
    assert.equal(authority.bundle().sequence, 3);
    assert.equal(authority.lastRotation?.outcome, "given up");
    assert.ok(isTrusted(before, authority));
    await authority.startRotation();
    await authority.switchSigner([]);
    const late = await authority.abortRotation();
    assert.equal(late.ok ? "" : late.error.code, "RS2013");
  });

  it("takes one step at a time, and none twice", async () => {
    const authority = await open();
    const codes = async (): Promise<string[]> => {
      const steps = [authority.switchSigner([]), authority.withdrawOldRoot([]), authority.finishRotation([])];
      return (await Promise.all(steps)).map((step) => (step.ok ? "ok" : step.error.code));
    };
    assert.deepEqual(await codes(), ["RS2013", "RS2013", "RS2013"]);
    const [first, second] = await Promise.all([authority.startRotation(), authority.startRotation()]);
    assert.equal(first.ok, true);
    assert.equal(second.ok ? "" : second.error.code, "RS2012");
    assert.deepEqual(await codes(), ["ok", "ok", "ok"]);
  });

  it("resumes after a crash at every step, with every SVID that was handed out still trusted while it must be", async () => {
    const steps: string[] = [];
    await run(Infinity);
    const count = steps.length;
    assert.ok(count >= 15, steps.join(" "));
    for (let at = 1; at <= count; at++) await run(at);

    /** One rotation on a fresh folder, thrown out of its process at the given checkpoint, then finished by the next one. */
    async function run(crashAt: number): Promise<void> {
      await rm(directory, { recursive: true, force: true });
      await reopen();
      let seen = 0;
      const crashing = await reopen({
        checkpoint(step) {
          seen++;
          if (crashAt === Infinity) steps.push(step);
          if (seen === crashAt) throw new Error("power lost");
        },
      });
      const handedOut = [await issue(crashing)];
      let crashed = false;
      for (const step of [
        () => crashing.startRotation(),
        () => crashing.switchSigner([]),
        () => crashing.withdrawOldRoot([]),
        () => crashing.finishRotation([]),
      ]) {
        const done = await step();
        if (!done.ok) {
          crashed = true;
          break;
        }
        if (crashing.rotation?.phase !== "withdraw") handedOut.push(await issue(crashing));
      }
      assert.equal(crashed, crashAt !== Infinity);

      const authority = await reopen();
      const phase = authority.rotation?.phase;
      const where = `crash ${crashAt} left ${phase ?? "nothing"}`;
      const fresh = await issue(authority);
      assert.ok(isTrusted(fresh, authority), where);
      if (phase !== "withdraw" && authority.lastRotation === undefined)
        for (const svid of handedOut) assert.ok(isTrusted(svid, authority), where);
      if (phase === undefined && authority.lastRotation === undefined) await authority.startRotation();
      if (authority.rotation?.phase === "distribute") assert.ok((await authority.switchSigner([])).ok, where);
      if (authority.rotation?.phase === "move") assert.ok((await authority.withdrawOldRoot([])).ok, where);
      if (authority.rotation?.phase === "withdraw") assert.ok((await authority.finishRotation([])).ok, where);
      assert.equal(authority.lastRotation?.outcome, "done", where);
      assert.ok(isTrusted(await issue(authority), authority), where);
      const left = (await readdir(directory)).filter((name) => name.endsWith(".pem"));
      assert.equal(left.length, 4, `${where}: ${left.join(" ")}`);
    }
  });

  it("keeps no half-made root of a crash", async () => {
    const crashing = await open({
      checkpoint(step) {
        if (step === "before-distribute") throw new Error("power lost");
      },
    });
    const failed = await crashing.startRotation();
    assert.equal(failed.ok ? "" : failed.error.code, "RS2010");
    const authority = await reopen();
    assert.equal(authority.roots.length, 1);
    assert.equal((await readdir(directory)).filter((name) => name.endsWith(".pem")).length, 4);
  });

  it("takes a folder over that was made before there was a state", async () => {
    const authority = await open();
    const before = await issue(authority);
    await rm(join(directory, "authority.json"));
    const later = await reopen();
    assert.equal(later.bundle().sequence, 1);
    assert.ok(isTrusted(before, later));
    assert.equal(later.signingRootSha256, before.rootSha256);
  });

  it("does not start on a state that is damaged", async () => {
    await open();
    for (const authority of opened.splice(0)) await authority.close();
    await appendFile(join(directory, "authority.json"), "}");
    const result = await openAuthority({ directory, trustDomain: "test.mesh", clock });
    assert.equal(result.ok ? "" : result.error.code, "RS2010");
  });

  it("is refused while the root is not valid", async () => {
    await open();
    clock.advance(3651 * DAY);
    const refused = await (await reopen()).startRotation();
    assert.equal(refused.ok ? "" : refused.error.code, "RS2011");
  });

  describe("and recovery", () => {
    it("makes a new root when the old one has expired, which stays after a restart", async () => {
      await open();
      clock.advance(3651 * DAY);
      const authority = await reopen();
      assert.ok(authority.degraded !== undefined);
      assert.ok((await authority.recover(false)).ok);
      assert.equal(authority.degraded, undefined);
      assert.ok(authority.bundle().sequence > 1);
      const svid = await issue(authority);
      const later = await reopen();
      assert.equal(later.degraded, undefined);
      assert.ok(isTrusted(svid, later));
    });

    it("is refused for a valid root, or before its time, unless forced", async () => {
      const authority = await open();
      const refused = await authority.recover(false);
      assert.equal(refused.ok ? "" : refused.error.code, "RS2014");
      clock = new StoppedClock(Date.UTC(2020, 0, 1));
      const early = await reopen();
      assert.match(early.degraded ?? "", /valid from 2026/);
      const stillRefused = await early.recover(false);
      assert.equal(stillRefused.ok ? "" : stillRefused.error.code, "RS2014");
      assert.ok((await early.recover(true)).ok);
    });

    it("ends a rotation that was under way", async () => {
      await (await open()).startRotation();
      clock.advance(3651 * DAY);
      const authority = await reopen();
      assert.ok((await authority.recover(false)).ok);
      assert.equal(authority.rotation, undefined);
      assert.equal(authority.lastRotation?.outcome, "recovered");
      assert.equal(authority.roots.length, 1);
    });

    it("gives an own identity that began with a placeholder its first SVID", async () => {
      await open();
      clock.advance(3651 * DAY);
      const authority = await reopen();
      const own = await startOwnIdentity({ authority, spiffeId: ID, clock });
      assert.ok(own.ok);
      assert.equal(own.value.current.rootSha256, "");
      await authority.recover(false);
      await own.value.renewNow();
      assert.equal(own.value.current.rootSha256, authority.signingRootSha256);
      own.value.close();
    });
  });

  for (const keyKind of keyKinds) {
    it(`makes keys of kind ${keyKind}, and exchanges a root of another kind`, async () => {
      const authority = await open({ keyKind });
      assert.ok(isTrusted(await issue(authority), authority));
      const next = await reopen({ keyKind: keyKind === "ec-p256" ? "rsa-2048" : "ec-p256" });
      const before = await issue(next);
      await next.startRotation();
      await next.switchSigner([]);
      assert.ok(isTrusted(before, next));
      assert.ok(isTrusted(await issue(next), next));
      const types = next.bundle().der.map((der) => new X509Certificate(der).publicKey.asymmetricKeyType);
      assert.equal(types[0], keyKind === "rsa-2048" ? "rsa" : "ec");
      assert.equal(types[1], keyKind === "ec-p256" ? "rsa" : "ec");
    });
  }

  it("logs every root and intermediate", async () => {
    const authority = await open();
    await authority.startRotation();
    await authority.switchSigner([]);
    const lines = (await readFile(join(directory, "issued.jsonl"), "utf8")).trimEnd().split("\n");
    const kinds = lines.map((line): unknown => (JSON.parse(line) as { kind: unknown }).kind);
    assert.deepEqual(kinds, ["root", "intermediate", "root", "intermediate"]);
  });
});
