// An intermediate from elsewhere: taken over when its files change, refused when they do not fit.

import "reflect-metadata";

import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { createKeyAndCsr } from "../csr/index.ts";
import { openAuthority, type AuthorityOptions, type IssuedSvid, type OpenAuthority } from "./index.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";
const DAY = 24 * 3_600_000;

describe("an external intermediate", () => {
  let home: string;
  let clock: StoppedClock;
  let refused: string[];
  const opened: OpenAuthority[] = [];

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "ripstop-external-"));
    clock = new StoppedClock(Date.UTC(2026, 5, 1));
    refused = [];
  });
  afterEach(async () => {
    for (const authority of opened.splice(0)) await authority.close();
    await rm(home, { recursive: true });
  });

  async function open(more: Partial<AuthorityOptions>): Promise<OpenAuthority> {
    const result = await openAuthority({ directory: join(home, "ca"), trustDomain: "test.mesh", clock, ...more });
    if (!result.ok) throw new Error(result.error.message);
    opened.push(result.value);
    return result.value;
  }

  const path = (name: string): string => join(home, "files", name);
  const external = (): Partial<AuthorityOptions> => ({
    external: { chain: path("tls.crt"), key: path("tls.key"), roots: path("ca.crt") },
    onExternalRefused: (reason) => void refused.push(reason),
  });

  /** A PKI of a company: the folder of an authority of its own. */
  async function pki(name: string, trustDomain: string = "test.mesh"): Promise<string> {
    const directory = join(home, name);
    await (await open({ directory, trustDomain })).close();
    opened.pop();
    return directory;
  }

  async function supply(from: string, rootsFrom: readonly string[] = [from]): Promise<void> {
    await mkdir(join(home, "files"), { recursive: true });
    await copyFile(join(from, "intermediate.crt.pem"), path("tls.crt"));
    await copyFile(join(from, "intermediate.key.pem"), path("tls.key"));
    const roots = await Promise.all(rootsFrom.map((one) => readFile(join(one, "root.crt.pem"), "utf8")));
    await writeFile(path("ca.crt"), roots.join(""));
  }

  /** Twice: what is new is taken once it stood still. */
  async function look(): Promise<void> {
    const authority = opened.at(-1);
    await authority?.lookAtFiles();
    await authority?.lookAtFiles();
  }

  async function issue(authority: OpenAuthority): Promise<IssuedSvid> {
    const issued = await authority.issue((await createKeyAndCsr(ID)).csrPem, ID);
    if (!issued.ok) throw new Error(issued.error.message);
    return issued.value;
  }

  it("is looked at every two seconds", async () => {
    await supply(await pki("company"));
    const authority = await open(external());
    await writeFile(path("tls.crt"), "");
    const seen = new Promise<void>((resolve) => {
      const before = refused.push.bind(refused);
      refused.push = (...reasons) => (resolve(), before(...reasons));
    });
    clock.advance(2_000);
    await authority.lookAtFiles();
    clock.advance(2_000);
    await seen;
    assert.match(refused[0] ?? "", /0 certificates/);
  });

  it("signs, and its roots are the bundle", async () => {
    await supply(await pki("company"));
    const authority = await open(external());
    const svid = await issue(authority);
    assert.equal(svid.chainPem.split("-----BEGIN").length, 3);
    assert.equal(authority.bundle().pem, await readFile(path("ca.crt"), "utf8"));
    assert.equal(authority.intermediates[0]?.origin, "external");
    const rotated = await authority.startRotation();
    assert.equal(rotated.ok ? "" : rotated.error.code, "RS2013");
    const recovered = await authority.recover(true);
    assert.equal(recovered.ok ? "" : recovered.error.code, "RS2013");
  });

  it("that does not fit is refused, and the one before goes on", async () => {
    const company = await pki("company");
    const stranger = await pki("stranger");
    await supply(company);
    const authority = await open(external());
    const before = await issue(authority);
    const cases: readonly (readonly [() => Promise<void>, RegExp])[] = [
      [() => copyFile(join(stranger, "intermediate.key.pem"), path("tls.key")), /key does not belong/],
      [() => writeFile(path("tls.key"), "nothing"), /./],
      [() => writeFile(path("tls.crt"), ""), /0 certificates/],
      [() => copyFile(join(stranger, "root.crt.pem"), path("ca.crt")), /does not lead to one of the roots/],
      [() => copyFile(join(company, "root.crt.pem"), path("tls.crt")), /key does not belong/],
      [() => rm(path("ca.crt")), /ENOENT/],
    ];
    for (const [change, reason] of cases) {
      await change();
      await look();
      assert.match(refused.at(-1) ?? "nothing was refused", reason);
      assert.equal((await issue(authority)).rootSha256, before.rootSha256);
      await supply(company);
      await look();
    }
    assert.equal(refused.length, cases.length);
    assert.equal(authority.rotation, undefined);
  });

  it("of another trust domain, or at a wrong time, is refused at the start", async () => {
    await supply(await pki("company", "other.mesh"));
    await assert.rejects(open(external()), /is for spiffe:\/\/other.mesh/);
    await supply(await pki("later"));
    clock = new StoppedClock(Date.UTC(2020, 0, 1));
    await assert.rejects(open(external()), /is valid from 2026/);
  });

  it("under another root waits until everyone trusts that root", async () => {
    const [first, second] = [await pki("first"), await pki("second")];
    await supply(first);
    const authority = await open(external());
    const before = await issue(authority);
    await supply(second);
    await look();
    assert.equal(authority.rotation?.phase, "distribute");
    assert.equal(authority.roots.length, 2);
    assert.equal((await issue(authority)).rootSha256, before.rootSha256);
    assert.ok((await authority.switchSigner([])).ok);
    assert.notEqual((await issue(authority)).rootSha256, before.rootSha256);
    assert.ok((await authority.withdrawOldRoot([])).ok);
    assert.ok((await authority.finishRotation([])).ok);
    assert.equal(authority.bundle().pem, await readFile(path("ca.crt"), "utf8"));
  });

  it("under another root goes on after a restart, whose old key is not there any more", async () => {
    const [first, second] = [await pki("first"), await pki("second")];
    await supply(first);
    await (await open(external())).close();
    opened.pop();
    await supply(second);
    const authority = await open(external());
    assert.equal(authority.rotation?.phase, "move");
    assert.equal(authority.roots.length, 2);
    assert.equal((await issue(authority)).rootSha256, authority.signingRootSha256);
  });

  it("takes the place of a root that was made here, step by step", async () => {
    const authority = await open({});
    const before = await issue(authority);
    await opened.pop()?.close();
    await supply(await pki("company"));
    const later = await open(external());
    assert.equal(later.rotation?.phase, "distribute");
    assert.equal((await issue(later)).rootSha256, before.rootSha256);
    await later.switchSigner([]);
    await later.withdrawOldRoot([]);
    await later.finishRotation([]);
    assert.equal(later.roots[0]?.origin, "external");
    await opened.pop()?.close();
    await assert.rejects(open({}), /came in files of an external authority/);
  });

  it("trusts a further root as soon as the files name it", async () => {
    const [first, second] = [await pki("first"), await pki("second")];
    await supply(first);
    const authority = await open(external());
    await supply(first, [first, second]);
    await look();
    assert.equal(authority.roots.length, 2);
    assert.equal(authority.bundle().sequence, 2);
    assert.equal(authority.rotation, undefined);
  });

  it("that has expired leaves the control plane without a signer until it is replaced", async () => {
    await supply(await pki("company"));
    await (await open(external())).close();
    opened.pop();
    clock.advance(91 * DAY);
    const authority = await open(external());
    assert.match(authority.degraded ?? "", /cannot be used: .* is valid from 2026/);
    await rm(join(home, "company"), { recursive: true });
    const fresh = await pki("company");
    await supply(fresh);
    await look();
    assert.equal(authority.degraded, undefined);
    await issue(authority);
  });
});
