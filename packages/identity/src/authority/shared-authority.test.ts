// One authority on several control planes: the same roots and token keys, intermediates of their own.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { createKeyAndCsr } from "../csr/create-key-and-csr.ts";
import type { OpenAuthority } from "./authority.ts";
import { openJwtIssuer, type JwtIssuer } from "./jwt-issuer.ts";
import { openAuthority } from "./open-authority.ts";
import {
  adoptAuthority,
  SealingKey,
  shareAuthority,
  type SharedAuthority,
  type SharedRecords,
} from "./shared-authority.ts";

class Records implements SharedRecords {
  readonly map = new Map<string, string>();
  readonly #listeners = new Set<(key: string) => void>();

  get(key: string): string | undefined {
    return this.map.get(key);
  }

  async remove(key: string): Promise<void> {
    await this.replace(key, this.map.get(key), undefined);
  }

  async replace(key: string, before: string | undefined, after: string | undefined): Promise<boolean> {
    if (this.map.get(key) !== before) return false;
    if (after === undefined) this.map.delete(key);
    else this.map.set(key, after);
    for (const listener of this.#listeners) listener(key);
    return true;
  }

  watch(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const ID = "spiffe://mesh.local/ns/shop/sa/web";

describe("a shared authority", () => {
  let home: string;
  let clock: StoppedClock;
  let records: Records;
  let seal: SealingKey;
  const opened: { close(): Promise<void> }[] = [];

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "ripstop-shared-"));
    clock = new StoppedClock(Date.UTC(2026, 0, 1));
    records = new Records();
    seal = new SealingKey(Buffer.alloc(32, 7));
  });

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await rm(home, { recursive: true });
  });

  const shared = (name: string, leads = true): SharedAuthority =>
    shareAuthority({ records, seal, directory: join(home, name), leads: () => leads });

  async function authority(name: string): Promise<OpenAuthority> {
    const directory = join(home, name);
    const one = await openAuthority({ directory, trustDomain: "mesh.local", clock, shared: shared(name) });
    assert.ok(one.ok, JSON.stringify(one));
    opened.push(one.value);
    return one.value;
  }

  async function issuer(name: string, leads: boolean): Promise<JwtIssuer> {
    const directory = join(home, name);
    const one = await openJwtIssuer({ directory, trustDomain: "mesh.local", clock, shared: shared(name, leads) });
    assert.ok(one.ok, JSON.stringify(one));
    opened.push(one.value);
    return one.value;
  }

  async function rootOf(one: OpenAuthority): Promise<string> {
    const { csrPem } = await createKeyAndCsr(ID);
    const issued = await one.issue(csrPem, ID);
    assert.ok(issued.ok, JSON.stringify(issued));
    const [leaf = "", intermediate = ""] = issued.value.chainPem.split(/(?<=-----END CERTIFICATE-----\n)/);
    const signer = new X509Certificate(intermediate);
    assert.ok(new X509Certificate(leaf).verify(signer.publicKey));
    const roots = one.bundle().der.map((der) => new X509Certificate(der));
    const root = roots.find((candidate) => signer.verify(candidate.publicKey));
    assert.ok(root, "the chain leads to no root of the bundle");
    return root.fingerprint256;
  }

  it("has one root and intermediates of its own on each", async () => {
    const [left, right] = [await authority("left"), await authority("right")];
    assert.equal(right.bundle().pem, left.bundle().pem);
    assert.equal(await rootOf(left), await rootOf(right));
    assert.notEqual(left.intermediates[0]?.sha256, right.intermediates[0]?.sha256);
  });

  it("follows a rotation that another one drives, to the destruction of the old key", async () => {
    const [left, right] = [await authority("left"), await authority("right")];
    const before = await rootOf(right);
    const [oldKey] = [...records.map.keys()].filter((key) => key.startsWith("key/root"));
    assert.ok((await left.startRotation()).ok);
    await right.lookAtFiles();
    assert.equal((await right.abortRotation()).ok, true, "the other one knows of the phase, and may give it up");
    assert.ok((await left.startRotation()).ok);
    assert.ok((await left.switchSigner([])).ok);
    // A step of its own waits until what it was told is taken over.
    assert.equal((await right.startRotation()).ok, false);
    assert.equal(right.bundle().pem, left.bundle().pem);
    const after = await rootOf(right);
    assert.notEqual(after, before);
    assert.equal(after, await rootOf(left));
    // The one that did not make the root withdraws the old one.
    assert.ok((await right.withdrawOldRoot([])).ok);
    assert.equal(records.map.has(oldKey ?? ""), false);
    assert.equal((await left.startRotation()).ok, false);
    assert.ok((await left.finishRotation([])).ok);
    assert.equal(left.roots.length, 1);
  });

  it("holds no key in the clear, and opens with its own key file only", async () => {
    await authority("left");
    await issuer("left", true);
    assert.deepEqual([...records.map.keys()].map((key) => key.replace(/root-.*/, "root")).sort(), [
      "jwt-keys",
      "key/jwt-1",
      "key/root",
      "state",
    ]);
    for (const sealed of records.map.values()) {
      assert.doesNotMatch(
        sealed + Buffer.from(sealed.slice(3), "base64").toString("latin1"),
        /PRIVATE|CERTIFICATE|kid/,
      );
    }
    const state = records.map.get("state") ?? "";
    assert.ok(!seal.open("jwt-keys", state).ok, "opens under its own name only");
    seal = new SealingKey(Buffer.alloc(32, 8));
    const directory = join(home, "other");
    const other = await openAuthority({ directory, trustDomain: "mesh.local", clock, shared: shared("other") });
    assert.ok(!other.ok);
    assert.match(other.error.message, /does not open with this key file/);
  });

  it("signs tokens with one key, which the leader renews", async () => {
    const leader = await issuer("left", true);
    const follower = await issuer("right", false);
    assert.deepEqual(follower.keys(), leader.keys());
    assert.ok((await follower.issue(ID, ["db"])).ok);
    const changed = new Promise<void>((resolve) => follower.onChange(resolve));
    clock.advance(29.5 * 24 * 3_600_000);
    // Whoever asks for a token looks whether a new key is due.
    for (let turn = 0; turn < 2; turn++) assert.ok((await leader.issue(ID, ["db"])).ok);
    await changed;
    assert.equal(follower.keys().length, 2);
    assert.deepEqual(follower.keys(), leader.keys());
  });

  it("lets one state stand when two begin at one moment", async () => {
    const both = await Promise.all(
      ["left", "right"].map((name) =>
        openAuthority({ directory: join(home, name), trustDomain: "mesh.local", clock, shared: shared(name) }),
      ),
    );
    for (const one of both) if (one.ok) opened.push(one.value);
    assert.equal(both.filter(({ ok }) => ok).length, 1);
    await authority("third");
  });

  it("takes over the authority of a home that was alone", async () => {
    const directory = join(home, "alone");
    const alone = await openAuthority({ directory, trustDomain: "mesh.local", clock });
    assert.ok(alone.ok);
    const { pem } = alone.value.bundle();
    const tokens = await openJwtIssuer({ directory, trustDomain: "mesh.local", clock });
    assert.ok(tokens.ok);
    const keys = tokens.value.keys();
    await Promise.all([alone.value.close(), tokens.value.close()]);
    assert.deepEqual(await adoptAuthority(shared("alone"), directory), { ok: true, value: true });
    assert.deepEqual(await adoptAuthority(shared("alone"), directory), { ok: true, value: false });
    assert.equal((await authority("alone")).bundle().pem, pem);
    assert.equal((await authority("second")).bundle().pem, pem);
    assert.deepEqual((await issuer("second", false)).keys(), keys);
  });

  it("wants a key file of 32 bytes that only its owner can read", async () => {
    const path = join(home, "key");
    const read = async (text: string, mode: number): Promise<string> => {
      await rm(path, { force: true });
      await writeFile(path, text, { mode });
      const key = await SealingKey.read(path);
      return key.ok ? key.value.meshId : key.error;
    };
    const hex = Buffer.alloc(32, 7).toString("hex");
    assert.equal(await read(`${hex}\n`, 0o600), seal.meshId);
    assert.equal(await read(Buffer.alloc(32, 7).toString("base64"), 0o400), seal.meshId);
    assert.match(await read(hex, 0o644), /read by others/);
    assert.match(await read(hex.slice(2), 0o600), /32 bytes/);
    assert.match(await read("", 0o600), /32 bytes/);
    assert.ok((await readFile(path, "utf8")) === "");
  });
});
